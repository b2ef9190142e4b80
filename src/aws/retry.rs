//! Which refusals are worth another try beside those that the SDK knows.

use std::time::Duration;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::retry::ErrorKind;

use super::credentials::HeldCredentials;
use super::web_identity::KEYS_NOT_FOUND;

/// A request whose credentials have expired is sent again with renewed ones; one whose web identity token AWS could not
/// check is sent again later.
#[derive(Debug)]
pub(super) struct RenewAndRetry(pub(super) HeldCredentials);

impl ClassifyRetry for RenewAndRetry {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let body = context.response().filter(|r| matches!(r.status().as_u16(), 400 | 401 | 403));
        let body = body.and_then(|r| r.body().bytes()).map(String::from_utf8_lossy).unwrap_or_default();
        if body.contains("InvalidIdentityToken") && body.contains(KEYS_NOT_FOUND) {
            return RetryAction::transient_error();
        }
        let authorization = context.request().and_then(|r| r.headers().get("authorization"));
        match authorization.and_then(access_key) {
            Some(key) if is_expired(&body) && self.0.refused(key) => {
                RetryAction::retryable_error_with_explicit_delay(ErrorKind::TransientError, Duration::ZERO)
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "renew credentials that have expired"
    }
}

/// The code in the forms of the services: XML, and JSON with and without a namespace.
fn is_expired(body: &str) -> bool {
    ["<Code>ExpiredToken", "\"ExpiredToken", "#ExpiredToken"].iter().any(|code| body.contains(code))
}

/// The access key that signed a request.
fn access_key(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_session_is_known_in_every_form() {
        for body in [
            "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>is expired</Message></Error></ErrorResponse>",
            r#"{"__type":"ExpiredTokenException","message":"is expired"}"#,
            r#"{"__type": "com.amazon.coral.service#ExpiredTokenException"}"#,
        ] {
            assert!(is_expired(body), "{body}");
        }
        assert!(!is_expired("<Error><Code>AccessDenied</Code><Message>ExpiredToken</Message></Error>"));
    }

    #[test]
    fn the_key_stands_in_the_signature() {
        let header = "AWS4-HMAC-SHA256 Credential=ASIA1/20261122/eu-west-1/rds/aws4_request, SignedHeaders=host";
        assert_eq!(access_key(header), Some("ASIA1"));
        assert_eq!(access_key("Bearer x"), None);
    }
}
