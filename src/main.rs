//! Starts the provider as a plugin process.

use std::process::ExitCode;

use rdsaccess::plugin::{self, Environment, MESSAGE_LIMIT};
use tfplugin_proto::tfplugin6::provider_server::{Provider, ProviderServer};
use tfplugin_proto::tfplugin6::{Schema, get_provider_schema as schema, schema::Block};

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the one place where the process gets its clock")]
    let environment = Environment::collect(std::env::vars_os(), std::env::args_os().skip(1), jiff::Timestamp::now);
    plugin::run(&environment, |_ending| {
        ProviderServer::new(Nothing).max_decoding_message_size(MESSAGE_LIMIT).max_encoding_message_size(MESSAGE_LIMIT)
    })
}

/// Offers nothing yet; the provider service of `rdsaccess::protocol` takes its place.
struct Nothing;

#[tonic::async_trait]
impl Provider for Nothing {
    async fn get_provider_schema(
        &self,
        _: tonic::Request<schema::Request>,
    ) -> Result<tonic::Response<schema::Response>, tonic::Status> {
        let provider = Some(Schema { version: 0, block: Some(Block::default()) });
        Ok(tonic::Response::new(schema::Response { provider, ..Default::default() }))
    }
}
