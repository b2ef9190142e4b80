//! Which service answers which call.

use std::convert::Infallible;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;

use tfplugin_proto::health::health_server::HealthServer;
use tfplugin_proto::plugin::grpc_broker_server::GrpcBrokerServer;
use tfplugin_proto::plugin::grpc_controller_server::GrpcControllerServer;
use tfplugin_proto::plugin::grpc_stdio_server::GrpcStdioServer;

use super::broker::Broker;
use super::calls::Tracked;
use super::controller::Controller;
use super::health::Health;
use super::lifetime::Lifetime;
use super::server::ProviderService;
use super::stdio::Stdio;

/// The provider's service beside those that every plugin has.
#[derive(Debug, Clone)]
pub(super) struct Routes<S> {
    provider: Tracked<S>,
    controller: GrpcControllerServer<Controller>,
    stdio: GrpcStdioServer<Stdio>,
    broker: GrpcBrokerServer<Broker>,
    health: HealthServer<Health>,
}

impl<S: ProviderService> Routes<S> {
    pub(super) fn new(provider: S, lifetime: &Lifetime) -> Self {
        Self {
            provider: Tracked::new(provider, lifetime.calls().clone()),
            controller: GrpcControllerServer::new(Controller::new(lifetime.clone())),
            stdio: GrpcStdioServer::new(Stdio::new(lifetime.ending())),
            broker: GrpcBrokerServer::new(Broker::new(lifetime.ending())),
            health: HealthServer::new(Health),
        }
    }
}

impl<S: ProviderService> Service<http::Request<Body>> for Routes<S> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    /// Always ready, as every server that tonic generates.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match service_name(request.uri().path()) {
            name if name == S::NAME => self.provider.call(request),
            GrpcControllerServer::<Controller>::NAME => self.controller.call(request),
            GrpcStdioServer::<Stdio>::NAME => self.stdio.call(request),
            GrpcBrokerServer::<Broker>::NAME => self.broker.call(request),
            HealthServer::<Health>::NAME => self.health.call(request),
            name => {
                let status = tonic::Status::unimplemented(format!("no service {name:?}"));
                Box::pin(async { Ok(status.into_http()) })
            }
        }
    }
}

/// gRPC paths are `/package.Service/Call`.
fn service_name(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}
