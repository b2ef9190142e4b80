//! The gRPC server with all services of a plugin.

use std::convert::Infallible;

use tokio_stream::Stream;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::transport::Server;

use super::error::Error;
use super::lifetime::Lifetime;
use super::listener::Connection;
use super::routes::Routes;

/// The largest message that providers exchange with their hosts, in bytes (256 MiB, as in the Go SDK). The service
/// given to [`run`](super::run) has to set it with `max_decoding_message_size` and `max_encoding_message_size`:
/// tonic's own limit of 4 MiB is less than a large `for_each` needs.
pub const MESSAGE_LIMIT: usize = 256 * 1024 * 1024;

/// Calls that may be in flight at once on a connection. Above it the host holds calls back, `StopProvider` too.
const MAX_CALLS: u32 = 10_000;

/// What flows without waiting for an acknowledgement, in bytes. The default of 64 KiB makes large messages slow.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;

/// The gRPC service that a plugin offers: any server type that tonic generates.
pub trait ProviderService:
    Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send + 'static>
    + NamedService
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> ProviderService for S where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send + 'static>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Serves until `lifetime` ends: then no new calls are taken, the running ones get their time, and all connections are
/// closed.
///
/// # Errors
/// When the server ends by itself.
pub(super) async fn serve<S: ProviderService>(
    service: S,
    connections: impl Stream<Item = Result<Connection, Infallible>>,
    lifetime: Lifetime,
) -> Result<(), Error> {
    let server = Server::builder()
        .max_concurrent_streams(MAX_CALLS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let routes = Routes::new(service, &lifetime);
    let finished = async {
        let ending = lifetime.ending().cancelled_owned();
        let served = server.serve_with_incoming_shutdown(routes, connections, ending).await;
        lifetime.calls().idle().await;
        served
    };
    tokio::select! {
        served = finished => Ok(served?),
        () = lifetime.grace_is_over() => {
            tracing::warn!(calls = lifetime.calls().running(), "calls were still running");
            Ok(())
        }
    }
}
