//! Which refusals are worth another try beside those that the SDK knows.

use std::time::Duration;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::retry::ErrorKind;

use super::credentials::HeldCredentials;
use super::http::SIGNED_BY;
use super::web_identity::KEYS_NOT_FOUND;

/// A request whose credentials have expired is sent again with renewed ones; one whose web identity token AWS could not
/// check is sent again later.
#[derive(Debug)]
pub(super) struct RenewAndRetry(pub(super) HeldCredentials);

impl ClassifyRetry for RenewAndRetry {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(response) = context.response().filter(|r| matches!(r.status().as_u16(), 400..=403)) else {
            return RetryAction::NoActionIndicated;
        };
        let body = response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
        if body.contains("InvalidIdentityToken") && body.contains(KEYS_NOT_FOUND) {
            return RetryAction::transient_error();
        }
        match response.headers().get(SIGNED_BY) {
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
}
