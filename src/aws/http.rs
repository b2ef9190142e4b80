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

/// Makes the client. It honours `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, and has at most
/// `max_concurrency` requests under way: a request waits for its turn before a connection is opened, and a retry gives
/// its turn back while it waits.
pub(super) fn bounded_client(max_concurrency: usize) -> SharedHttpClient {
    let inner = Builder::new().build_with_connector_fn(|settings, components| {
        let crypto = tls::rustls_provider::CryptoMode::AwsLc;
        let mut connector = ConnectorBuilder::default().tls_provider(tls::Provider::Rustls(crypto));
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    });
    bounded(inner, max_concurrency)
}

/// The bound on what is under way, around any client.
pub(super) fn bounded(inner: SharedHttpClient, max_concurrency: usize) -> SharedHttpClient {
    SharedHttpClient::new(Bounded { inner, permits: Arc::new(Semaphore::new(max_concurrency.max(1))) })
}

/// The behaviour of the SDK that this code was written against and tested with.
pub(super) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::latest()
}

/// Deliberately without `validate_base_client_config`: the SDK's own client loads the certificates of the operating
/// system there, once for every service client that is made.
#[derive(Debug)]
struct Bounded {
    inner: SharedHttpClient,
    permits: Arc<Semaphore>,
}

impl HttpClient for Bounded {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(BoundedConnector { inner, permits: self.permits.clone() })
    }
}

#[derive(Debug)]
struct BoundedConnector {
    inner: SharedHttpConnector,
    permits: Arc<Semaphore>,
}

impl HttpConnector for BoundedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, permits) = (self.inner.clone(), self.permits.clone());
        HttpConnectorFuture::new(async move {
            let turn = permits.acquire_owned().await.map_err(|closed| ConnectorError::user(closed.into()))?;
            let response = inner.call(request).await?;
            let response = timeout(BODY_TIMEOUT, read_whole(response)).await;
            tokio::spawn(async move {
                tokio::time::sleep(REUSE_PAUSE).await;
                drop(turn);
            });
            response.map_err(|late| ConnectorError::timeout(late.into()))?
        })
    }
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
