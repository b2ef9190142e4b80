//! The host's way to arrange further connections.

use std::future::ready;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use tfplugin_proto::plugin::ConnInfo;
use tfplugin_proto::plugin::grpc_broker_server::GrpcBroker;

/// Offers no further connections and takes none; providers need only one. The stream stays open until the host closes
/// its side, which it does before it asks for a shutdown.
#[derive(Debug)]
pub(super) struct Broker(CancellationToken);

impl Broker {
    pub(super) fn new(ending: CancellationToken) -> Self {
        Self(ending)
    }
}

#[tonic::async_trait]
impl GrpcBroker for Broker {
    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<BoxStream<ConnInfo>>, Status> {
        let offers = request.into_inner().take_until(self.0.clone().cancelled_owned());
        Ok(Response::new(offers.filter_map(|_| ready(None)).boxed()))
    }
}
