//! Terraform plugin protocol 6 and the go-plugin services, generated from our own `.proto` files.
//!
//! Every call of [`tfplugin6::provider_server::Provider`] has a default body that answers `UNIMPLEMENTED`, so a server
//! writes only the calls that it serves. Maps are `BTreeMap`, so that the same schema always gives the same bytes. The
//! two messages that carry user values print their size only, so that no `{:?}` of a request shows a secret.

use std::fmt;

/// Terraform's provider service.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// What go-plugin asks of every plugin process: shutdown, output and further connections.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod plugin {
    tonic::include_proto!("plugin");
}

/// The gRPC health service.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod health {
    tonic::include_proto!("grpc.health.v1");
}

impl fmt::Debug for tfplugin6::DynamicValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynamicValue({} bytes msgpack, {} bytes json)", self.msgpack.len(), self.json.len())
    }
}

impl fmt::Debug for tfplugin6::RawState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawState({} bytes json, {} flatmap entries)", self.json.len(), self.flatmap.len())
    }
}
