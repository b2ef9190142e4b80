//! Terraform plugin protocol 6 and the go-plugin services, generated from our own `.proto` files.
//!
//! Every call of [`tfplugin6::provider_server::Provider`] has a default body that answers `UNIMPLEMENTED`, so a server
//! writes only the calls that it serves. Maps are `BTreeMap`, so that the same schema always gives the same bytes.

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
