//! The calls in flight: counted, and finished even when the host has gone.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;

use super::server::ProviderService;

/// Counts calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(Arc<watch::Sender<usize>>);

impl Calls {
    /// How many calls run now.
    pub(super) fn running(&self) -> usize {
        *self.0.borrow()
    }

    /// Returns as soon as no call runs.
    pub(super) async fn idle(&self) {
        // Cannot fail: the sender lives as long as `self`
        let _ = self.0.subscribe().wait_for(|running| *running == 0).await;
    }

    fn begin(&self) -> RunningCall {
        self.0.send_modify(|running| *running += 1);
        RunningCall(self.clone())
    }
}

struct RunningCall(Calls);

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0.0.send_modify(|running| *running -= 1);
    }
}

/// Runs every call of a service in a task of its own.
///
/// The server drops the future of a call when its connection breaks, which would stop an apply between two steps just
/// because the host was killed. A task goes on. It also keeps a panic away from the other calls of the connection.
#[derive(Debug, Clone)]
pub(super) struct Tracked<S> {
    service: S,
    calls: Calls,
}

impl<S> Tracked<S> {
    pub(super) fn new(service: S, calls: Calls) -> Self {
        Self { service, calls }
    }
}

impl<S: NamedService> NamedService for Tracked<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: ProviderService> Service<http::Request<Body>> for Tracked<S> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let running = self.calls.begin();
        let response = self.service.call(request);
        let task = tokio::spawn(async move {
            let _running = running;
            response.await
        });
        Box::pin(async move { Ok(task.await.map_or_else(|_| panicked(&path), |Ok(response)| response)) })
    }
}

/// The last resort: the service itself should have turned the panic into a diagnostic.
fn panicked(path: &str) -> http::Response<Body> {
    tracing::error!(path, "a call panicked");
    tonic::Status::internal(format!("the provider crashed in {path}; this is a bug in the provider")).into_http()
}
