//! Starts the provider as a plugin process.

use std::process::ExitCode;

use rdsaccess::plugin::{self, Environment, MESSAGE_LIMIT};
use rdsaccess::protocol::Service;
use rdsaccess::provider::{Rdsaccess, Variables};
use tfplugin_proto::tfplugin6::provider_server::ProviderServer;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the one place where the process gets its clock")]
    let environment = Environment::collect(std::env::vars_os(), std::env::args_os().skip(1), jiff::Timestamp::now);
    plugin::run(&environment, |ending| {
        let provider = Rdsaccess::new(Variables::collect(std::env::vars_os()));
        ProviderServer::new(Service::new(provider).until(&ending))
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT)
    })
}
