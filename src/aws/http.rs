//! The one HTTP client under all service clients: shared connections, a bound on what is under way, proxies.

use std::sync::Arc;

use aws_config::BehaviorVersion;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, ConnectorBuilder, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::Semaphore;

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
            let _turn = permits.acquire().await.map_err(|closed| ConnectorError::user(closed.into()))?;
            inner.call(request).await
        })
    }
}
