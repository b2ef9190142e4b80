//! The life of the process from its arguments to its exit code.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::arguments::Command;
use super::environment::Environment;
use super::error::Error;
use super::handshake::{self, Line};
use super::lifetime::{Lifetime, Reason};
use super::listener::Listener;
use super::orphan::Parent;
use super::server::{self, ProviderService};
use super::signals::Signals;
use super::tls::Identity;
use super::{logging, panic, reattach};
use crate::report::Report;

/// Threads for calls. They wait for networks most of the time, and Terraform runs one process per phase and alias.
const MAX_THREADS: usize = 4;

/// How long blocking work may delay the exit.
const EXIT_DELAY: Duration = Duration::from_millis(100);

/// Is the whole program: serves `service` as a plugin, or does what the arguments say, and returns the exit code.
///
/// `service` is built after the host has been told where to connect, so what it costs does not delay the start. It gets
/// a token that fires when the process begins to end: calls in flight should then come to an end soon, as for Terraform's
/// `StopProvider`. After a shutdown they have 500 ms, after the death of the host 30 s.
pub fn run<S: ProviderService>(environment: &Environment, service: impl FnOnce(CancellationToken) -> S) -> ExitCode {
    let outcome = match &environment.command {
        Command::Serve => serve_host(environment, service),
        Command::Debug => serve_anybody(environment, service),
        Command::Version => print(&version()),
        Command::Help => print(&help()),
        Command::Unknown(argument) => Err(Error::UnknownArgument(argument.clone())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The prefix gives the line its level in the host's log. If standard error is closed, nobody listens
            let prefix = if handshake::started_by_host(environment) { "[ERROR] " } else { "" };
            let _ = writeln!(io::stderr(), "{prefix}{}", Report::of(&error));
            ExitCode::FAILURE
        }
    }
}

fn serve_host<S: ProviderService>(
    environment: &Environment,
    service: impl FnOnce(CancellationToken) -> S,
) -> Result<(), Error> {
    if !handshake::started_by_host(environment) {
        return Err(Error::StartedByHand);
    }
    let parent = Parent::current();
    prepare(environment);
    if !handshake::host_speaks_our_protocol(environment) {
        tracing::warn!(versions = environment.protocol_versions, "the host does not speak protocol 6");
    }
    let identity = environment.client_certificate.as_deref().map(Identity::for_client).transpose()?;
    let listener = Listener::bind(environment, identity.is_some())?;
    let line = Line {
        address: &listener.address()?,
        certificate: identity.as_ref().map(Identity::certificate),
        answer_multiplexing: environment.asks_for_multiplexing,
    };
    print(&line.to_string())?;

    let lifetime = Lifetime::default();
    on_runtime(async {
        let ending = lifetime.ending();
        let connections = listener.connections(identity.as_ref().map(Identity::acceptor), ending.clone())?;
        tokio::spawn(Signals::install().map_err(Error::Runtime)?.ignore());
        tokio::spawn(end_when(lifetime.clone(), async move { parent.gone().await }, Reason::ParentGone));
        server::serve(service(ending), connections, lifetime).await
    })
}

fn serve_anybody<S: ProviderService>(
    environment: &Environment,
    service: impl FnOnce(CancellationToken) -> S,
) -> Result<(), Error> {
    prepare(environment);
    let listener = Listener::bind(environment, false)?;
    let address = listener.address()?;
    let lifetime = Lifetime::default();
    on_runtime(async {
        let ending = lifetime.ending();
        let connections = listener.connections(None, ending.clone())?;
        let mut signals = Signals::install().map_err(Error::Runtime)?;
        tokio::spawn(end_when(lifetime.clone(), async move { signals.next().await }, Reason::Interrupted));
        print(&reattach::instructions(&address, std::process::id()))?;
        server::serve(service(ending), connections, lifetime).await
    })
}

fn prepare(environment: &Environment) {
    logging::install(environment.log_level, environment.clock);
    panic::install_hook();
    tracing::debug!(version = env!("CARGO_PKG_VERSION"), "the provider process starts");
}

async fn end_when(lifetime: Lifetime, event: impl Future<Output = ()>, reason: Reason) {
    event.await;
    lifetime.end(reason);
}

fn on_runtime(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = runtime()?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(EXIT_DELAY);
    outcome
}

fn runtime() -> Result<Runtime, Error> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(MAX_THREADS);
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().map_err(Error::Runtime)
}

fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Output)
}

fn version() -> String {
    format!("{} {}\n", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}

fn help() -> String {
    format!(
        "{}\n{}\n\nTerraform and OpenTofu start this program themselves: name it in the required_providers block of a\n\
         configuration.\n\n  --debug    run on its own, for debuggers and tests: prints the variable TF_REATTACH_PROVIDERS\n             \
         that makes Terraform and OpenTofu use this process, and serves them until Ctrl-C\n  --version  print the \
         version\n  --help     print this text\n\nThe log goes to standard error: set TF_LOG_PROVIDER or TF_LOG to TRACE, \
         DEBUG, INFO, WARN or ERROR.\n",
        version().trim_end(),
        env!("CARGO_PKG_DESCRIPTION"),
    )
}
