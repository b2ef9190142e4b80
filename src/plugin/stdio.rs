//! The host's way to read a plugin's output over the connection.

use futures_util::{FutureExt, StreamExt, stream};
use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use tfplugin_proto::plugin::StdioData;
use tfplugin_proto::plugin::grpc_stdio_server::GrpcStdio;

/// Says nothing: our output is the log on standard error. The stream stays open, because an open call keeps hosts from
/// closing the connection as idle, and ends with the process.
#[derive(Debug)]
pub(super) struct Stdio(CancellationToken);

impl Stdio {
    pub(super) fn new(ending: CancellationToken) -> Self {
        Self(ending)
    }
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<BoxStream<StdioData>>, Status> {
        let silence = self.0.clone().cancelled_owned().map(|()| stream::empty()).flatten_stream();
        Ok(Response::new(silence.boxed()))
    }
}
