//! A fake AWS for an organization of any size: Organizations, STS, RDS and the regions of EC2.
//!
//! Nothing is stored: an account, a unit or a database is computed from its number and the seed when it is asked for, so
//! 10,000 accounts with 100,000 databases take no more memory than ten. Reads one line of JSON from standard input, the
//! [`settings`](settings::Settings), prints `{"port": …}` when it listens, and ends when standard input is closed.
//!
//! What it is honest about: the wire forms (checked with boto3, and beside moto for the keys of each answer), paging with
//! AWS's limits and tokens that are good for one list only, latency, throttling per account, region and action with the
//! code of each service, failures, connections that stay open, expiring credentials, role name and external id.
//!
//! What it is not: signatures are never checked, only who is named and the scope that is signed for; identity policies,
//! trust policies beyond the external id, and SCPs do not exist; the hub may enter every account and nobody else may;
//! nothing can be changed through the API; real throttling is neither that even nor the same for every action.

mod api;
mod caller;
mod control;
mod counters;
mod door;
mod faults;
mod fleet;
mod numbering;
mod organization;
mod page;
mod settings;
mod throttle;
mod wire;
mod world;
mod xml;

use std::io::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use door::Server;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let settings = if line.trim().is_empty() { settings::Settings::default() } else { serde_json::from_str(&line)? };
    let server = Arc::new(Server::new(settings));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{{\"port\": {}}}", listener.local_addr()?.port())?;
    stdout.flush()?;

    let counting = server.clone();
    let listener = listener.tap_io(move |connection| {
        counting.counters.connected();
        // Answers are written whole; waiting for more would add 40 ms to some of them.
        let _ = connection.set_nodelay(true);
    });
    let router = Router::new()
        .route("/", post(door::answer))
        .route("/control/counters", get(control::counters).delete(control::forget_counters))
        .route("/control/accounts", get(control::accounts))
        .route("/control/settings", get(control::settings).put(control::change_settings))
        .with_state(server);
    axum::serve(listener, router).with_graceful_shutdown(parent_is_gone()).await?;
    Ok(())
}

/// Waits until standard input is closed.
async fn parent_is_gone() {
    let (gone, waiting) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = gone.send(());
    });
    let _ = waiting.await;
    // Connections that clients keep open would hold a graceful end up for as long as they like.
    tokio::spawn(async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        #[expect(clippy::exit, reason = "the parent is gone, nobody waits for an answer")]
        std::process::exit(0);
    });
}
