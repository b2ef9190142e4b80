//! The one line, and what hosts ask for in the environment.

use std::path::Path;

use crate::host::{ClientIdentity, Host, schema};

#[tokio::test]
async fn without_tls_the_line_has_no_certificate_and_the_schema_can_be_read() {
    let plugin = Host::without_tls().start().await;
    assert!(plugin.line.certificate.is_none() && plugin.line.more.is_empty(), "{:?}", plugin.line);
    let schema = schema(plugin.connect().await.unwrap()).await.unwrap();
    assert!(schema.provider.unwrap().block.is_some());
}

#[tokio::test]
async fn every_list_of_versions_gets_protocol_6() {
    // Line::parse insists on "1|6|"; a host that cannot use 6 says so in its own words
    for versions in ["5,6", "6,5", "6", "5", ""] {
        Host::without_tls().variable("PLUGIN_PROTOCOL_VERSIONS", versions).start().await;
    }
}

#[tokio::test]
async fn a_host_that_asks_is_told_that_there_is_no_multiplexing() {
    let plugin = Host::without_tls().variable("PLUGIN_MULTIPLEX_GRPC", "true").start().await;
    assert_eq!(plugin.line.more, ["false"]);
}

#[tokio::test]
async fn the_socket_goes_where_the_host_wants_it() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = directory.path().to_str().unwrap();
    let plugin = Host::without_tls().variable("PLUGIN_UNIX_SOCKET_DIR", wanted).start().await;
    assert_eq!(Path::new(&plugin.line.place).parent(), Some(directory.path()));
    schema(plugin.connect().await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn without_a_place_for_a_socket_tls_makes_a_port_good_enough() {
    let identity = ClientIdentity::new();
    let plugin = Host::with_tls(&identity).variable("TMPDIR", "/nonexistent").start().await;
    assert_eq!(plugin.line.network, "tcp");
    assert!(plugin.line.place.starts_with("127.0.0.1:"), "{}", plugin.line.place);
    let config = identity.config(&plugin.line, rustls::ALL_VERSIONS);
    schema(plugin.connect_as(config).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn without_a_place_and_without_tls_the_plugin_does_not_start() {
    let (code, stderr) = Host::without_tls().variable("TMPDIR", "/nonexistent").start_in_vain().await;
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("[ERROR] ") && stderr.contains("/nonexistent"), "{stderr}");
}
