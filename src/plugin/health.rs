//! The answer to tools that ask whether the process is alive.

use tonic::{Request, Response, Status};

use tfplugin_proto::health::health_check_response::ServingStatus;
use tfplugin_proto::health::health_server::Health as HealthService;
use tfplugin_proto::health::{HealthCheckRequest, HealthCheckResponse};

/// The service name under which go-plugin hosts ask.
const PLUGIN: &str = "plugin";

/// Always serving: while the process can answer, it can serve.
#[derive(Debug)]
pub(super) struct Health;

#[tonic::async_trait]
impl HealthService for Health {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match request.into_inner().service.as_str() {
            "" | PLUGIN => Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() })),
            other => Err(Status::not_found(format!("no service {other:?}"))),
        }
    }
}
