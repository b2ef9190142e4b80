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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hyper_util::rt::TokioIo;
    use tfplugin_proto::health::health_client::HealthClient;
    use tfplugin_proto::plugin::Empty;
    use tfplugin_proto::plugin::grpc_broker_client::GrpcBrokerClient;
    use tfplugin_proto::plugin::grpc_controller_client::GrpcControllerClient;
    use tfplugin_proto::plugin::grpc_stdio_client::GrpcStdioClient;
    use tfplugin_proto::tfplugin6::provider_client::ProviderClient;
    use tfplugin_proto::tfplugin6::provider_server::{Provider, ProviderServer};
    use tfplugin_proto::tfplugin6::{call_function, get_functions, get_metadata, stop_provider};
    use tokio::io::DuplexStream;
    use tokio::sync::Semaphore;
    use tokio::task::JoinHandle;
    use tonic::transport::{Channel, Endpoint};
    use tonic::{Code, Request, Response, Status};

    use super::*;
    use crate::plugin::lifetime::Reason;

    /// `GetMetadata` blocks until it is let go and counts when it is through; `GetFunctions` panics.
    #[derive(Clone)]
    struct Slow {
        go: Arc<Semaphore>,
        done: Arc<Semaphore>,
    }

    #[tonic::async_trait]
    impl Provider for Slow {
        async fn get_metadata(
            &self,
            _: Request<get_metadata::Request>,
        ) -> Result<Response<get_metadata::Response>, Status> {
            self.go.acquire().await.unwrap().forget();
            self.done.add_permits(1);
            Ok(Response::new(Default::default()))
        }

        async fn get_functions(
            &self,
            _: Request<get_functions::Request>,
        ) -> Result<Response<get_functions::Response>, Status> {
            panic!("a bug")
        }

        async fn stop_provider(
            &self,
            _: Request<stop_provider::Request>,
        ) -> Result<Response<stop_provider::Response>, Status> {
            Ok(Response::new(Default::default()))
        }
    }

    struct Running {
        service: Slow,
        lifetime: Lifetime,
        channel: Channel,
        connection: JoinHandle<()>,
        server: JoinHandle<Result<(), Error>>,
    }

    /// A server and a client in this process. Aborting `connection` is what the server sees when its host is killed.
    async fn start() -> Running {
        let service = Slow { go: Arc::new(Semaphore::new(0)), done: Arc::new(Semaphore::new(0)) };
        let lifetime = Lifetime::default();
        let (ours, middle) = tokio::io::duplex(64 * 1024);
        let (theirs, other_middle) = tokio::io::duplex(64 * 1024);
        let connection = tokio::spawn(carry(middle, other_middle));
        let connections = futures_util::StreamExt::chain(
            tokio_stream::once(Ok(Connection::new(theirs))),
            futures_util::stream::pending(),
        );
        let server = tokio::spawn(serve(ProviderServer::new(service.clone()), connections, lifetime.clone()));
        let mut ours = Some(ours);
        let connector = tower::service_fn(move |_| {
            let stream = ours.take().map(TokioIo::new);
            async { stream.ok_or_else(|| std::io::Error::other("one connection only")) }
        });
        let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await.unwrap();
        Running { service, lifetime, channel, connection, server }
    }

    async fn carry(mut one: DuplexStream, mut other: DuplexStream) {
        let _ = tokio::io::copy_bidirectional(&mut one, &mut other).await;
    }

    async fn until(condition: impl Fn() -> bool) {
        tokio::time::timeout(Duration::from_secs(5), async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the condition never came true");
    }

    fn begin_slow_call(running: &Running) -> JoinHandle<Result<Response<get_metadata::Response>, Status>> {
        let mut client = ProviderClient::new(running.channel.clone());
        tokio::spawn(async move { client.get_metadata(get_metadata::Request {}).await })
    }

    #[tokio::test]
    async fn a_call_is_finished_even_when_the_host_is_gone() {
        let running = start().await;
        let call = begin_slow_call(&running);
        until(|| running.lifetime.calls().running() == 1).await;
        running.connection.abort();
        assert!(call.await.unwrap().is_err());
        running.lifetime.end(Reason::ParentGone);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!running.server.is_finished(), "the server waits for the call");
        running.service.go.add_permits(1);
        running.server.await.unwrap().unwrap();
        assert_eq!(running.service.done.available_permits(), 1);
    }

    #[tokio::test]
    async fn after_a_shutdown_a_call_that_does_not_end_is_given_up() {
        let running = start().await;
        let call = begin_slow_call(&running);
        until(|| running.lifetime.calls().running() == 1).await;
        GrpcControllerClient::new(running.channel.clone()).shutdown(Empty {}).await.unwrap();
        let server = tokio::time::timeout(Duration::from_secs(2), running.server);
        server.await.expect("a host kills after 2 s").unwrap().unwrap();
        assert_eq!(running.service.done.available_permits(), 0);
        call.abort();
    }

    #[tokio::test]
    async fn a_panic_is_the_problem_of_one_call_only() {
        let running = start().await;
        let slow = begin_slow_call(&running);
        until(|| running.lifetime.calls().running() == 1).await;
        let mut client = ProviderClient::new(running.channel.clone());
        let status = client.get_functions(get_functions::Request {}).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("/tfplugin6.Provider/GetFunctions"), "{status}");
        running.service.go.add_permits(1);
        slow.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn calls_run_side_by_side() {
        let running = start().await;
        let calls: Vec<_> = (0..500).map(|_| begin_slow_call(&running)).collect();
        until(|| running.lifetime.calls().running() == 500).await;
        let mut client = ProviderClient::new(running.channel.clone());
        client.stop_provider(stop_provider::Request {}).await.unwrap();
        running.service.go.add_permits(500);
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(running.lifetime.calls().running(), 0);
    }

    #[tokio::test]
    async fn the_open_streams_are_silent_and_end_with_the_process() {
        let running = start().await;
        let mut stdio = GrpcStdioClient::new(running.channel.clone()).stream_stdio(()).await.unwrap().into_inner();
        let offers = tokio_stream::pending();
        let mut broker =
            GrpcBrokerClient::new(running.channel.clone()).start_stream(offers).await.unwrap().into_inner();
        let quiet = Duration::from_millis(50);
        assert!(tokio::time::timeout(quiet, stdio.message()).await.is_err());
        assert!(tokio::time::timeout(quiet, broker.message()).await.is_err());
        running.lifetime.end(Reason::Shutdown);
        assert_eq!(stdio.message().await.unwrap(), None);
        assert_eq!(broker.message().await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_broker_ends_when_the_host_closes_its_side() {
        let running = start().await;
        let offers = tokio_stream::empty();
        let mut broker =
            GrpcBrokerClient::new(running.channel.clone()).start_stream(offers).await.unwrap().into_inner();
        assert_eq!(broker.message().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_not_served_is_unimplemented() {
        let running = start().await;
        let mut client = ProviderClient::new(running.channel.clone());
        let status = client.call_function(call_function::Request::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
    }

    #[tokio::test]
    async fn a_service_that_does_not_exist_is_unimplemented_too() {
        let running = start().await;
        let other = ProviderClient::with_origin(
            tower::util::MapRequest::new(running.channel.clone(), |mut request: http::Request<Body>| {
                *request.uri_mut() =
                    http::Uri::from_static("http://localhost/grpc.reflection.v1.ServerReflection/Info");
                request
            }),
            http::Uri::from_static("http://localhost"),
        )
        .get_metadata(get_metadata::Request {})
        .await;
        assert_eq!(other.unwrap_err().code(), Code::Unimplemented);
    }

    #[tokio::test]
    async fn tools_are_told_that_the_plugin_is_alive() {
        let running = start().await;
        let mut client = HealthClient::new(running.channel.clone());
        let ask = |service: &str| tfplugin_proto::health::HealthCheckRequest { service: service.to_owned() };
        assert_eq!(client.check(ask("plugin")).await.unwrap().into_inner().status, 1);
        assert_eq!(client.check(ask("other")).await.unwrap_err().code(), Code::NotFound);
    }
}
