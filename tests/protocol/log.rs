//! What hosts read from standard error.

use serde_json::Value;

use crate::client::{SOON, stderr};
use crate::host::{Host, Started, schema};

async fn session(host: Host) -> String {
    let mut plugin: Started = host.start().await;
    let channel = plugin.connect().await.unwrap();
    schema(channel.clone()).await.unwrap();
    plugin.shut_down(channel).await;
    tokio::time::timeout(SOON, stderr(&mut plugin.child)).await.unwrap()
}

#[tokio::test]
async fn nothing_is_logged_unless_asked_for() {
    assert_eq!(session(Host::without_tls()).await, "");
    assert_eq!(session(Host::without_tls().variable("TF_LOG", "TRACE").variable("TF_LOG_PROVIDER", "OFF")).await, "");
}

#[tokio::test]
async fn every_line_is_an_entry_that_a_host_can_read() {
    let log = session(Host::without_tls().variable("TF_LOG", "TRACE")).await;
    assert!(log.lines().count() >= 2, "{log}");
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["@level", "@message", "@module", "@timestamp"] {
            assert!(entry[key].is_string(), "{key} in {line}");
        }
        assert!(["trace", "debug", "info", "warn", "error"].contains(&entry["@level"].as_str().unwrap()), "{line}");
        let time = entry["@timestamp"].as_str().unwrap();
        assert_eq!((time.len(), &time[19..20], &time[26..]), (27, ".", "Z"), "{time}");
        assert!(entry["@module"].as_str().unwrap().starts_with("rdsaccess"), "{line}");
    }
}
