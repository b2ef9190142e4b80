//! The host's way to end the process.

use tonic::{Request, Response, Status};

use tfplugin_proto::plugin::Empty;
use tfplugin_proto::plugin::grpc_controller_server::GrpcController;

use super::lifetime::{Lifetime, Reason};

/// Ends the process when asked to.
#[derive(Debug)]
pub(super) struct Controller(Lifetime);

impl Controller {
    pub(super) fn new(lifetime: Lifetime) -> Self {
        Self(lifetime)
    }
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.0.end(Reason::Shutdown);
        Ok(Response::new(Empty {}))
    }
}
