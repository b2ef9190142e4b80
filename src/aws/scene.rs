//! An AWS without a network, for tests on paused time: every call takes 50 ms of that time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use tokio::time::Instant;

use super::settings::StaticKeys;
use super::{Sessions, Settings};
use crate::access::AccountId;

pub(super) const LATENCY: Duration = Duration::from_millis(50);
/// The account of the hub.
pub(super) const HUB: &str = "111111111111";

/// One call, as the scene saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) action: String,
    /// The account whose credentials were used
    pub(super) account: String,
    pub(super) region: String,
    pub(super) marker: Option<String>,
    pub(super) role: Option<String>,
    pub(super) host: String,
    /// Since the beginning of the scene
    pub(super) at: Duration,
}

type Answers = dyn Fn(&Asked) -> Option<(u16, String)> + Send + Sync;

/// What answers, and what was asked.
#[derive(Clone)]
pub(super) struct Scene {
    answers: Arc<Answers>,
    asked: Arc<Mutex<Vec<Asked>>>,
    began: Instant,
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").finish_non_exhaustive()
    }
}

impl Scene {
    /// `answers` says what is special; everything else is an organization of empty accounts.
    pub(super) fn new(answers: impl Fn(&Asked) -> Option<(u16, String)> + Send + Sync + 'static) -> Self {
        Self { answers: Arc::new(answers), asked: Arc::default(), began: Instant::now() }
    }

    pub(super) fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    pub(super) fn sessions(&self, max_concurrency: usize) -> Sessions {
        let keys = StaticKeys { access_key: format!("AKIA{HUB}"), secret_key: "secret".into(), token: None };
        let settings = Settings {
            region: "us-east-1".parse().ok(),
            static_keys: Some(keys),
            max_concurrency,
            ..Settings::default()
        };
        self.sessions_with(settings)
    }

    pub(super) fn sessions_with(&self, settings: Settings) -> Sessions {
        Sessions::with_client(settings, self.client())
    }

    /// The calls of an action, in the order in which they came.
    pub(super) fn asked(&self, action: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|call| call.action == action || action == "*").cloned().collect()
    }

    /// Time since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn read(&self, request: &HttpRequest) -> Asked {
        let signed = request.headers().get("authorization").unwrap_or_default();
        let scope: Vec<&str> = signed.split("Credential=").nth(1).unwrap_or_default().split('/').collect();
        let body = request.body().bytes().unwrap_or_default();
        let body = String::from_utf8_lossy(body).into_owned();
        let fields: BTreeMap<&str, String> =
            body.split('&').filter_map(|pair| pair.split_once('=')).map(plain).collect();
        let target = request.headers().get("x-amz-target").and_then(|t| t.rsplit('.').next()).map(str::to_owned);
        Asked {
            action: fields.get("Action").cloned().or(target).unwrap_or_default(),
            account: scope.first().copied().unwrap_or_default().trim_start_matches("AKIA").to_owned(),
            region: scope.get(2).copied().unwrap_or_default().to_owned(),
            marker: fields.get("Marker").cloned(),
            role: fields.get("RoleArn").cloned(),
            host: request.uri().split('/').nth(2).unwrap_or_default().to_owned(),
            at: self.began.elapsed(),
        }
    }
}

fn plain<'a>((name, value): (&'a str, &str)) -> (&'a str, String) {
    (name, percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}

impl HttpClient for Scene {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Scene {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let scene = self.clone();
        HttpConnectorFuture::new(async move {
            let asked = scene.read(&request);
            scene.asked.lock().unwrap().push(asked.clone());
            let (status, body) = (scene.answers)(&asked).unwrap_or_else(|| (200, usual(&asked)));
            tokio::time::sleep(LATENCY).await;
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
        })
    }
}

fn usual(asked: &Asked) -> String {
    match asked.action.as_str() {
        "GetCallerIdentity" => result(&asked.action, &format!("<Arn>arn:aws:iam::{HUB}:user/hub</Arn>")),
        "AssumeRole" => {
            let account = asked.role.as_deref().unwrap_or_default().split(':').nth(4).unwrap_or_default();
            let keys = format!(
                "<Credentials><AccessKeyId>AKIA{account}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t\
                 </SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
            );
            result("AssumeRole", &keys)
        }
        "DescribeRegions" => "<DescribeRegionsResponse><regionInfo><item><regionName>us-east-1</regionName></item>\
                              <item><regionName>eu-west-1</regionName></item></regionInfo></DescribeRegionsResponse>"
            .to_owned(),
        action => result(action, ""),
    }
}

pub(super) fn result(action: &str, inside: &str) -> String {
    format!("<{action}Response><{action}Result>{inside}</{action}Result></{action}Response>")
}

/// An error in the form of RDS and STS.
pub(super) fn refusal(status: u16, code: &str, message: &str) -> (u16, String) {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    (status, format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"))
}

pub(super) fn throttled() -> (u16, String) {
    refusal(400, "Throttling", "Rate exceeded")
}

/// Page `page` of `pages` of a list of instances: one instance each.
pub(super) fn page_of_instances(asked: &Asked, pages: usize) -> (u16, String) {
    let page: usize = asked.marker.as_deref().map_or(1, |m| m.parse().unwrap());
    let marker = if page < pages { format!("<Marker>{}</Marker>", page + 1) } else { String::new() };
    let instance = format!(
        "<DBInstance><DBInstanceIdentifier>db-{page}</DBInstanceIdentifier><Engine>postgres</Engine></DBInstance>"
    );
    (200, result("DescribeDBInstances", &format!("<DBInstances>{instance}</DBInstances>{marker}")))
}

/// Account ids in order.
pub(super) fn accounts(count: usize) -> std::collections::BTreeSet<AccountId> {
    (0..count).map(|n| format!("{:012}", 200_000_000_000_u64 + n as u64).parse().unwrap()).collect()
}
