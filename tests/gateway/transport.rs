//! TLS, time-outs, redirects, proxies: everything below HTTP's answers.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use rdsaccess::gateway::{Gateway, Kind, Settings};
use rdsaccess::report::Report;
use serde_json::json;

use crate::rig::{ADMIN, Rig, settings};

/// Starts a gateway with its own certificate for a host; also returns the certificate as DER.
fn tls(host: &str) -> (Rig, Vec<u8>, tempfile::TempDir) {
    let pair = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    (Rig::start_tls(&cert, &key), pair.cert.der().to_vec(), dir)
}

#[tokio::test]
async fn a_certificate_is_accepted_only_with_its_authority_and_for_its_host() {
    let (rig, der, _dir) = tls("127.0.0.1");
    let error = rig.gateway().agents().await.unwrap_err();
    assert!(matches!(error.kind, Kind::Tls { .. }), "{error}");
    assert!(Report::of(&error).detail.contains("gateway.ca_bundle"));
    let trusting = Settings { ca_bundle: vec![der], ..rig.settings(ADMIN) };
    assert_eq!(Gateway::new(trusting).agents().await.unwrap().len(), 1);

    let (foreign, der, _dir) = tls("gateway.example.com");
    let trusting = Settings { ca_bundle: vec![der], ..foreign.settings(ADMIN) };
    let error = Gateway::new(trusting).agents().await.unwrap_err();
    assert!(matches!(error.kind, Kind::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_port_without_tls_is_named_and_tried_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut greeting = [0; 16];
        std::io::Read::read_exact(&mut stream, &mut greeting).unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // A second attempt would be waiting here.
        listener.set_nonblocking(true).unwrap();
        (listener, stream)
    });
    let error = Gateway::new(settings(&format!("https://127.0.0.1:{port}"), ADMIN)).agents().await.unwrap_err();
    let (listener, _stream) = server.join().unwrap();
    assert_eq!(error.kind, Kind::NoTls);
    assert!(error.is_unreachable());
    assert!(listener.accept().is_err(), "a second attempt finds the same");
    let report = Report::of(&error);
    assert!(report.detail.contains("HOOP_APIURL") && !report.detail.contains("PROXY"), "{}", report.detail);
}

#[tokio::test]
async fn a_slow_answer_ends_as_a_timeout_after_every_attempt() {
    let rig = Rig::start();
    rig.fault(json!({"n": 99, "delay": 2})).await;
    let settings = Settings { timeout: Duration::from_millis(150), ..rig.settings(ADMIN) };
    let started = Instant::now();
    let error = Gateway::new(settings).agents().await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout { after: Duration::from_millis(150) });
    assert!(error.is_unreachable() && started.elapsed() >= Duration::from_millis(450));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Gateway::new(settings(&format!("http://127.0.0.1:{port}"), ADMIN)).agents().await.unwrap_err();
    assert!(matches!(error.kind, Kind::Unreachable { .. }), "{error}");
    let detail = Report::of(&error).detail;
    assert!(
        detail.contains(&format!("GET http://127.0.0.1:{port}/api/agents")) && detail.contains("refused"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let (rig, other) = (Rig::start(), Rig::start());
    let target = format!("{}/api/agents?state=s3cret", other.url);
    rig.fault(json!({"status": 302, "headers": {"Location": target}})).await;
    let error = rig.gateway().agents().await.unwrap_err();
    let expected = Kind::Unexpected { status: 302, location: Some(format!("{}/api/agents", other.url)) };
    assert_eq!(error.kind, expected);
    assert!(other.calls().await.is_empty());
}

#[tokio::test]
async fn a_prefix_before_api_and_our_name_are_sent() {
    let rig = Rig::start_with(&["--prefix", "/team/hoop"]);
    for url in [rig.url.clone(), format!("{}/api/", rig.url)] {
        assert_eq!(Gateway::new(settings(&url, ADMIN)).agents().await.unwrap().len(), 1, "{url}");
    }
    let agent = &rig.log().await[0]["user_agent"];
    assert!(agent.as_str().unwrap().starts_with("terraform-provider-rdsaccess/"), "{agent}");
}

/// Nobody listens on port 9, but the stand-in also takes the whole URL in the request line, as a proxy does. The
/// environment of this process must not change, so the call is made by a second one.
#[test]
fn the_proxy_of_the_environment_is_used_and_no_proxy_keeps_to() {
    let rig = Rig::start();
    let asked = |no_proxy: &str| {
        let run = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "transport::asks_a_gateway_that_only_the_proxy_knows"])
            .env("HTTP_PROXY", &rig.url)
            .env("http_proxy", &rig.url)
            .env("NO_PROXY", no_proxy)
            .env("no_proxy", no_proxy)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(text.contains("1 passed") || text.contains("1 failed"), "the second process ran no test: {text}");
        run.status.success()
    };
    assert!(asked(""));
    assert!(!asked("127.0.0.1"));
}

#[tokio::test]
#[ignore = "run by the test above, with a proxy in its environment"]
async fn asks_a_gateway_that_only_the_proxy_knows() {
    let agents = Gateway::new(settings("http://127.0.0.1:9", ADMIN)).agents().await.unwrap();
    assert_eq!(agents[0].name, "lab");
}
