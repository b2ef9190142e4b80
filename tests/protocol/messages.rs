//! Large messages and many calls.

use tfplugin_proto::tfplugin6::{DynamicValue, validate_provider_config};
use tonic::Code;

use crate::client::Plugin;
use crate::host::schema;

/// More than tonic takes without being told.
const LARGE: usize = 24 * 1024 * 1024;

#[tokio::test]
async fn a_message_of_many_megabytes_arrives() {
    let plugin = Plugin::start().await;
    let config = DynamicValue { msgpack: text(LARGE), json: Vec::new() };
    let request = validate_provider_config::Request { config: Some(config) };
    // The service may not like a string where an object should be; here it counts that it got it
    if let Err(status) = plugin.client().validate_provider_config(request).await {
        assert!(!matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted | Code::Unavailable), "{status}");
    }
    schema(plugin.channel()).await.expect("the connection goes on");
}

/// A msgpack string of this many bytes.
fn text(length: usize) -> Vec<u8> {
    let mut bytes = vec![0xdb];
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

#[tokio::test]
async fn hundreds_of_calls_at_once_are_all_answered() {
    let plugin = Plugin::start().await;
    let calls: Vec<_> = (0..300).map(|_| tokio::spawn(schema(plugin.channel()))).collect();
    for call in calls {
        assert!(call.await.unwrap().unwrap().provider.is_some());
    }
}
