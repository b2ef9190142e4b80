//! The one HTTP client under all service clients: shared connections, a bound on what is under way, proxies.

use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, ConnectorBuilder, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use http_body_util::Full;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long the body of an answer may take after its head.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection goes back into the pool a moment after its answer was read. A request that starts before opens a new
/// connection, with a TLS handshake, although the old one is free; so the turn is passed on a little later.
const REUSE_PAUSE: Duration = Duration::from_millis(1);

/// The metadata services of instances and of pods.
const METADATA_V6: [&str; 2] = ["fd00:ec2::254", "fd00:ec2::23"];

/// Header that a refusal gets from us: the access key that signed its request. When the SDK judges an answer, the request
/// is gone.
pub(super) const SIGNED_BY: &str = "x-rdsaccess-signed-by";

/// Makes the client. It honours `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` for everything but this machine,
/// and has at most `max_concurrency` requests under way: a request waits for its turn before a connection is opened, and
/// a retry gives its turn back while it waits.
pub(super) fn bounded_client(max_concurrency: usize) -> SharedHttpClient {
    bounded(client(ProxyConfig::from_env()), client(ProxyConfig::disabled()), max_concurrency)
}

/// The bound on what is under way, around any clients.
pub(super) fn bounded(proxied: SharedHttpClient, direct: SharedHttpClient, max_concurrency: usize) -> SharedHttpClient {
    let permits = Arc::new(Semaphore::new(max_concurrency.max(1)));
    SharedHttpClient::new(Bounded { proxied, direct, permits })
}

fn client(proxy: ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let crypto = tls::rustls_provider::CryptoMode::AwsLc;
        let mut connector = ConnectorBuilder::default().tls_provider(tls::Provider::Rustls(crypto));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(proxy.clone()));
        connector.build()
    })
}

/// Whether a host is this machine or the metadata service of its instance, container or pod: no proxy can stand in for
/// it, and the credentials that it hands out are nobody else's.
fn is_local(uri: &str) -> bool {
    let authority = uri.split_once("://").map_or(uri, |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_link_local(),
        Ok(std::net::IpAddr::V6(ip)) => ip.is_loopback() || METADATA_V6.contains(&host),
        Err(_) => host == "localhost",
    }
}

/// The behaviour of the SDK that this code was written against and tested with.
pub(super) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::latest()
}

/// Deliberately without `validate_base_client_config`: the SDK's own client loads the certificates of the operating
/// system there, once for every service client that is made.
#[derive(Debug)]
struct Bounded {
    proxied: SharedHttpClient,
    direct: SharedHttpClient,
    permits: Arc<Semaphore>,
}

impl HttpClient for Bounded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let proxied = self.proxied.http_connector(settings, components);
        let direct = Direct { client: self.direct.clone(), settings: settings.clone(), components: components.clone() };
        SharedHttpConnector::new(BoundedConnector { proxied, direct, permits: self.permits.clone() })
    }
}

#[derive(Debug)]
struct BoundedConnector {
    proxied: SharedHttpConnector,
    direct: Direct,
    permits: Arc<Semaphore>,
}

/// The way without a proxy, made when it is needed: a connector reads the certificates of the operating system.
#[derive(Debug)]
struct Direct {
    client: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl Direct {
    fn connector(&self) -> SharedHttpConnector {
        self.client.http_connector(&self.settings, &self.components)
    }
}

impl HttpConnector for BoundedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = if is_local(request.uri()) { self.direct.connector() } else { self.proxied.clone() };
        let permits = self.permits.clone();
        HttpConnectorFuture::new(async move {
            let turn = permits.acquire_owned().await.map_err(|closed| ConnectorError::user(closed.into()))?;
            let signer = request.headers().get("authorization").and_then(access_key).map(str::to_owned);
            let mut response = inner.call(request).await?;
            if let (Some(key), 400..=403) = (signer, response.status().as_u16()) {
                // A key that no header can hold is none of AWS.
                let _ = response.headers_mut().try_insert(SIGNED_BY, key);
            }
            let response = timeout(BODY_TIMEOUT, read_whole(response)).await;
            tokio::spawn(async move {
                tokio::time::sleep(REUSE_PAUSE).await;
                drop(turn);
            });
            response.map_err(|late| ConnectorError::timeout(late.into()))?
        })
    }
}

/// The access key that signed a request.
fn access_key(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').next()
}

/// Reads the body while the request still has its turn. Otherwise the next request would find the connection busy and
/// open another one, and what is under way would not be bounded. The answers are pages, never files.
async fn read_whole(mut response: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = std::mem::replace(response.body_mut(), SdkBody::taken());
    let bytes = ByteStream::new(body).collect().await.map_err(|broken| ConnectorError::io(broken.into()))?;
    // Not `SdkBody::from(bytes)`: the SDK logs an answer at TRACE with such a body in clear, tokens and secrets included.
    *response.body_mut() = SdkBody::from_body_1_x(Full::new(bytes.into_bytes()));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::Credentials;
    use aws_sdk_sts::config::Region;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const ANSWER: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/x\
                          </Arn></GetCallerIdentityResult></GetCallerIdentityResponse>";

    #[derive(Debug, Default)]
    struct Seen {
        connections: AtomicUsize,
        under_way: AtomicUsize,
        peak: AtomicUsize,
    }

    /// Answers every request after a while, on connections that stay open.
    async fn serve(listener: TcpListener, seen: Arc<Seen>) {
        while let Ok((connection, _)) = listener.accept().await {
            seen.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(answer_all(connection, seen.clone()));
        }
    }

    async fn answer_all(mut connection: TcpStream, seen: Arc<Seen>) {
        let (mut received, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            // The body of the only request ends in the version of the API.
            while !received.ends_with(b"Version=2011-06-15") {
                match connection.read(&mut chunk).await {
                    Ok(0) | Err(_) => return,
                    Ok(n) => received.extend_from_slice(&chunk[..n]),
                }
            }
            received.clear();
            seen.peak.fetch_max(seen.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            seen.under_way.fetch_sub(1, Ordering::SeqCst);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", ANSWER.len());
            connection.write_all(format!("{head}{ANSWER}").as_bytes()).await.unwrap();
        }
    }

    #[test]
    fn the_key_stands_in_the_signature() {
        let header = "AWS4-HMAC-SHA256 Credential=ASIA1/20261122/eu-west-1/rds/aws4_request, SignedHeaders=host";
        assert_eq!(access_key(header), Some("ASIA1"));
        assert_eq!(access_key("Bearer x"), None);
    }

    #[test]
    fn no_proxy_is_asked_for_this_machine_and_its_metadata() {
        for uri in [
            "http://127.0.0.1:8080/x",
            "http://localhost/",
            "http://[::1]:80/",
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::254]/latest/api/token",
        ] {
            assert!(is_local(uri), "{uri}");
        }
        for uri in ["https://sts.amazonaws.com/", "https://10.0.0.1/", "http://localhost.example.com/?x=127.0.0.1"] {
            assert!(!is_local(uri), "{uri}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_never_printed_with_its_body() {
        let body = SdkBody::from(r#"{"SecretString":"hunter2"}"#);
        let response = read_whole(HttpResponse::new(200.try_into().unwrap(), body)).await.unwrap();
        assert!(!format!("{response:?}").contains("hunter2"));
        let body = ByteStream::new(response.into_body()).collect().await.unwrap().to_vec();
        assert_eq!(body, br#"{"SecretString":"hunter2"}"#);
    }

    #[tokio::test]
    async fn requests_are_bounded_and_share_connections_between_clients() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Seen::default());
        tokio::spawn(serve(listener, seen.clone()));
        let http = bounded_client(3);
        let requests = (0..15).map(|_| {
            let config = aws_sdk_sts::Config::builder()
                .behavior_version(behavior_version())
                .http_client(http.clone())
                .region(Region::new("us-east-1"))
                .credentials_provider(Credentials::new("AKIA", "secret", None, None, "test"))
                .endpoint_url(&endpoint);
            let client = aws_sdk_sts::Client::from_conf(config.build());
            async move { client.get_caller_identity().send().await.unwrap() }
        });
        futures_util::future::join_all(requests).await;
        assert_eq!(seen.peak.load(Ordering::SeqCst), 3);
        let connections = seen.connections.load(Ordering::SeqCst);
        assert!(connections <= 6, "{connections} connections for 15 requests, 3 at a time");
    }
}
