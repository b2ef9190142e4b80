//! Who may connect.

use rustls::version::{TLS12, TLS13};

use crate::host::{ClientIdentity, Host, Started, anonymous, schema};

async fn start() -> (ClientIdentity, Started) {
    let identity = ClientIdentity::new();
    let plugin = Host::with_tls(&identity).start().await;
    (identity, plugin)
}

#[tokio::test]
async fn the_host_that_started_the_plugin_is_served() {
    let (identity, plugin) = start().await;
    for version in [&TLS12, &TLS13] {
        let channel = plugin.connect_as(identity.config(&plugin.line, &[version])).await.unwrap();
        assert!(schema(channel).await.unwrap().provider.is_some());
    }
}

#[tokio::test]
async fn a_client_with_another_certificate_is_refused() {
    let (identity, plugin) = start().await;
    let stranger = ClientIdentity::new();
    for version in [&TLS12, &TLS13] {
        assert_refused(&plugin, stranger.config(&plugin.line, &[version])).await;
    }
    let channel = plugin.connect_as(identity.config(&plugin.line, rustls::ALL_VERSIONS)).await.unwrap();
    schema(channel).await.expect("the right client is served after the wrong one was refused");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let (_, plugin) = start().await;
    for version in [&TLS12, &TLS13] {
        assert_refused(&plugin, anonymous(&plugin.line, &[version])).await;
    }
}

#[tokio::test]
async fn plain_text_is_refused() {
    let (_, plugin) = start().await;
    if let Ok(channel) = plugin.connect().await {
        schema(channel).await.expect_err("plain text was served");
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_stops_the_plugin() {
    let (code, stderr) = Host::without_tls().variable("PLUGIN_CLIENT_CERT", "nonsense").start_in_vain().await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("PLUGIN_CLIENT_CERT"), "{stderr}");
}

/// With TLS 1.3 a client learns only after its own handshake that the server did not like it.
async fn assert_refused(plugin: &Started, config: rustls::ClientConfig) {
    if let Ok(channel) = plugin.connect_as(config).await {
        schema(channel).await.expect_err("a stranger was served");
    }
}
