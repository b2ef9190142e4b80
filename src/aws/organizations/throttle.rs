//! Who waits when Organizations throttles: the pace of all calls, not each call for itself.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::ErrorKind;

/// Takes throttling away from the SDK's own retries. Each of a thousand calls would wait by itself, ask again out of step
/// with the others, and give up after some tries although the others get answers.
#[derive(Debug)]
pub(in crate::aws) struct NotOnThrottling;

impl ClassifyRetry for NotOnThrottling {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(&self, _: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        match previous {
            RetryAction::RetryIndicated(RetryReason::RetryableError { kind: ErrorKind::ThrottlingError, .. }) => {
                RetryAction::RetryForbidden
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Not on throttling"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use crate::access::Secret;
    use crate::aws::settings::{Endpoints, StaticKeys};
    use crate::aws::{Fault, Sessions, Settings};

    /// Answers every request with this status and error, and counts the requests.
    async fn serve(status: u16, code: &'static str) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (url, asked) = (format!("http://{}", listener.local_addr().unwrap()), Arc::new(AtomicUsize::new(0)));
        let count = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 8_192];
                let _ = connection.read(&mut request).await;
                let body = format!("{{\"__type\":\"{code}\",\"message\":\"later\"}}");
                let head =
                    format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        (url, asked)
    }

    async fn list_roots(url: String) -> Fault {
        let keys = StaticKeys {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: Secret::new("secret".to_owned()),
            token: None,
        };
        let endpoints = Endpoints { organizations: Some(url.clone()), ..Endpoints::default() };
        let settings =
            Settings { region: "us-east-1".parse().ok(), static_keys: Some(keys), endpoints, ..Settings::default() };
        let sessions = Sessions::new(settings);
        let client = sessions.organizations_client().await.unwrap();
        let error = client.list_roots().send().await.unwrap_err();
        crate::aws::Call::new("organizations:ListRoots").refused(&error).fault
    }

    #[tokio::test]
    async fn throttling_comes_back_at_once_and_a_broken_answer_is_tried_again() {
        let (url, asked) = serve(400, "TooManyRequestsException").await;
        assert!(matches!(list_roots(url).await, Fault::Throttled(_)));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let (url, asked) = serve(400, "AccessDeniedException").await;
        assert!(matches!(list_roots(url).await, Fault::AccessDenied(_)));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let (url, asked) = serve(500, "ServiceException").await;
        let asked_again = async {
            while asked.load(Ordering::SeqCst) < 2 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            fault = list_roots(url) => panic!("errors of the service are the SDK's to retry: {fault}"),
            () = asked_again => {}
        }
    }
}
