//! The mode for debuggers.

use tokio::time::timeout;

use crate::client::{Plugin, SOON, signal};
use crate::host::schema;

#[tokio::test]
async fn the_variable_says_what_hosts_need() {
    let mut plugin = Plugin::start().await;
    let pid = plugin.child().id().unwrap();
    let reattach = plugin.reattach();
    assert_eq!(reattach["Protocol"], "grpc");
    assert_eq!(reattach["ProtocolVersion"], 6);
    assert_eq!(reattach["Test"], true);
    assert_eq!(reattach["Pid"], pid);
    schema(plugin.channel()).await.unwrap();
}

#[tokio::test]
async fn an_interrupt_ends_it_and_its_socket() {
    for name in ["INT", "TERM"] {
        let mut plugin = Plugin::start().await;
        let socket = plugin.reattach()["Addr"]["String"].as_str().unwrap().to_owned();
        signal(plugin.child(), name);
        let status = timeout(SOON, plugin.child().wait()).await.expect("it goes on").unwrap();
        assert_eq!(status.code(), Some(0), "{name}");
        assert!(!std::path::Path::new(&socket).exists());
    }
}

#[tokio::test]
async fn its_log_goes_to_standard_error() {
    let plugin = Plugin::start_with(&[("TF_LOG", "DEBUG")]).await;
    schema(plugin.channel()).await.unwrap();
    let log = plugin.finish().await;
    assert!(log.contains("\"reason\":\"Interrupted\""), "{log}");
}
