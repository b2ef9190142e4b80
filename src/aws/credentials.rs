//! Credentials that renew themselves: one set per account, shared by every client of the account.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_types::sdk_config::SharedTimeSource;
use tokio::sync::Mutex;

use super::fault::chain;
use super::settings::{AssumeRole, WebIdentity};
use super::web_identity::exchange;
use super::{Call, Error, Fault};

/// Credentials are renewed so long before they end.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// After new credentials were refused too, renewing is not tried again for so long.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

/// Credentials from one source, kept until shortly before they end. The SDK's own identity cache is switched off: it
/// holds 64 identities, an organization has thousands.
#[derive(Debug, Clone)]
pub(super) struct HeldCredentials(Arc<Held>);

#[derive(Debug)]
struct Held {
    source: Source,
    clock: SharedTimeSource,
    current: Mutex<Option<Credentials>>,
    refusal: std::sync::Mutex<Option<Refusal>>,
}

/// An access key that AWS called expired before its time.
#[derive(Debug)]
struct Refusal {
    access_key: String,
    at: SystemTime,
    /// The source gave the same key again
    is_final: bool,
}

/// Where credentials come from.
#[derive(Debug)]
pub(super) enum Source {
    /// The default chain, a profile, or static keys
    Chain(SharedCredentialsProvider),
    /// `sts:AssumeRole`
    Role { sts: aws_sdk_sts::Client, role: AssumeRole, call: Call },
    /// `sts:AssumeRoleWithWebIdentity`
    WebIdentity { sts: aws_sdk_sts::Client, identity: WebIdentity, call: Call },
}

impl HeldCredentials {
    pub(super) fn new(source: Source, clock: SharedTimeSource) -> Self {
        Self(Arc::new(Held { source, clock, current: Mutex::new(None), refusal: std::sync::Mutex::default() }))
    }

    /// Credentials that are good for the next minutes. Callers that ask at the same time wait for one renewal. When a
    /// renewal fails and the old credentials still live, they are used.
    ///
    /// # Errors
    /// The source has none, or STS refuses.
    pub(super) async fn current(&self) -> Result<Credentials, Error> {
        let mut held = self.0.current.lock().await;
        let ends_within = |c: &Credentials, margin| c.expiry().is_some_and(|end| end <= self.0.clock.now() + margin);
        if held.as_ref().is_some_and(|c| self.is_refused(c.access_key_id())) {
            *held = None;
        }
        if let Some(good) = held.as_ref().filter(|c| !ends_within(c, RENEW_BEFORE)) {
            return Ok(good.clone());
        }
        match self.0.source.load().await {
            Ok(new) => {
                if let Some(same) = self.refusal().as_mut().filter(|r| r.access_key == new.access_key_id()) {
                    same.is_final = true;
                }
                Ok(held.insert(new).clone())
            }
            Err(error) => held.as_ref().filter(|c| !ends_within(c, Duration::ZERO)).cloned().ok_or(error),
        }
    }

    /// AWS says that this key has expired: the clock of this machine may be behind, or a session was ended. The
    /// credentials are renewed at their next use. Whether that is worth a try: not when it has just been tried.
    pub(super) fn refused(&self, access_key: &str) -> bool {
        let now = self.0.clock.now();
        let mut refusal = self.refusal();
        let recent = |r: &Refusal| now.duration_since(r.at).is_ok_and(|age| age < RENEW_AGAIN);
        match refusal.as_ref() {
            // Requests that were under way with the same key.
            Some(known) if known.access_key == access_key && recent(known) => !known.is_final,
            Some(known) if recent(known) => false,
            _ => {
                *refusal = Some(Refusal { access_key: access_key.to_owned(), at: now, is_final: false });
                true
            }
        }
    }

    fn is_refused(&self, access_key: &str) -> bool {
        self.refusal().as_ref().is_some_and(|r| r.access_key == access_key && !r.is_final)
    }

    fn refusal(&self) -> std::sync::MutexGuard<'_, Option<Refusal>> {
        self.0.refusal.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn provider(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(self.clone())
    }
}

impl ProvideCredentials for HeldCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.current().await.map_err(CredentialsError::provider_error) })
    }
}

impl Source {
    async fn load(&self) -> Result<Credentials, Error> {
        match self {
            Self::Chain(provider) => provider
                .provide_credentials()
                .await
                .map_err(|e| Call::new("sts:GetCallerIdentity").failed(Fault::NoCredentials(chain(&e)))),
            Self::Role { sts, role, call } => take_role(sts, role, call).await,
            Self::WebIdentity { sts, identity, call } => exchange(sts, identity, call).await,
        }
    }
}

async fn take_role(sts: &aws_sdk_sts::Client, role: &AssumeRole, call: &Call) -> Result<Credentials, Error> {
    let tags = role.tags.iter().map(|(key, value)| aws_sdk_sts::types::Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|e| call.clone().failed(Fault::Refused(e.to_string())))?;
    let answer = sts
        .assume_role()
        .role_arn(&role.role_arn)
        .role_session_name(role.session_name.as_deref().unwrap_or(DEFAULT_SESSION_NAME))
        .set_external_id(role.external_id.clone())
        .set_duration_seconds(role.duration.map(|d| i32::try_from(d.seconds()).unwrap_or(i32::MAX)))
        .set_policy(role.policy.clone())
        .set_tags(Some(tags).filter(|t| !t.is_empty()))
        .send()
        .await
        .map_err(|e| cannot_assume(call.clone().refused(&e), &role.role_arn, role.external_id.is_some()))?;
    credentials(answer.credentials(), call)
}

/// The name of sessions before the caller's own name is known.
pub(super) const DEFAULT_SESSION_NAME: &str = "rdsaccess-provider";

/// A denial of `sts:AssumeRole` is about the role, not about a policy to look at in general.
fn cannot_assume(error: Error, role_arn: &str, external_id: bool) -> Error {
    let role_arn = role_arn.to_owned();
    let text = match &error.fault {
        Fault::Other { code, text } if code == "ValidationError" && text.contains("DurationSeconds") => {
            let text = text.clone();
            return Error { fault: Fault::SessionTooLong { role_arn, text }, ..error };
        }
        Fault::AccessDenied(text) => text.clone(),
        Fault::NotFound(text) => format!("NoSuchEntity: {text}"),
        Fault::Other { code, text } => format!("{code}: {text}"),
        _ => return error,
    };
    Error { fault: Fault::CannotAssume { role_arn, external_id, text }, ..error }
}

/// The credentials in an answer of STS.
///
/// # Errors
/// The answer holds none.
pub(super) fn credentials(answer: Option<&aws_sdk_sts::types::Credentials>, call: &Call) -> Result<Credentials, Error> {
    let unexpected = |text: &str| call.clone().failed(Fault::Unexpected(text.to_owned()));
    let answer = answer.ok_or_else(|| unexpected("STS returned no credentials"))?;
    let expiry = answer.expiration().to_owned().try_into().map_err(|_| unexpected("STS returned no usable expiry"))?;
    Ok(Credentials::new(
        answer.access_key_id(),
        answer.secret_access_key(),
        Some(answer.session_token().to_owned()),
        Some(expiry),
        "sts",
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_types::sdk_config::TimeSource;

    use super::*;

    /// Hands out credentials that end `lives` after `made`, and counts; fails from the second time on when told to.
    #[derive(Debug)]
    struct Counting {
        made: SystemTime,
        lives: Duration,
        fails_later: bool,
        count: AtomicUsize,
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let count = self.count.fetch_add(1, Ordering::SeqCst);
            if self.fails_later && count > 0 {
                return future::ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()));
            }
            let name = format!("AKIA{count}");
            let expiry = Some(self.made + self.lives);
            future::ProvideCredentials::ready(Ok(Credentials::new(name, "secret", None, expiry, "test")))
        }
    }

    #[derive(Debug, Clone)]
    struct Clock(Arc<std::sync::Mutex<SystemTime>>);

    impl TimeSource for Clock {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    fn held(fails_later: bool) -> (HeldCredentials, Clock) {
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let clock = Clock(Arc::new(std::sync::Mutex::new(made)));
        let source = Counting { made, lives: Duration::from_secs(3600), fails_later, count: AtomicUsize::new(0) };
        let source = Source::Chain(SharedCredentialsProvider::new(source));
        (HeldCredentials::new(source, SharedTimeSource::new(clock.clone())), clock)
    }

    fn pass(clock: &Clock, seconds: u64) {
        *clock.0.lock().unwrap() += Duration::from_secs(seconds);
    }

    #[tokio::test]
    async fn credentials_are_kept_until_shortly_before_they_end() {
        let (held, clock) = held(false);
        assert_eq!(held.current().await.unwrap().access_key_id(), "AKIA0");
        pass(&clock, 3_200);
        assert_eq!(held.current().await.unwrap().access_key_id(), "AKIA0");
        pass(&clock, 150);
        assert_eq!(held.current().await.unwrap().access_key_id(), "AKIA1");
    }

    #[tokio::test]
    async fn a_key_that_aws_calls_expired_is_renewed_once() {
        let (held, clock) = held(false);
        let key = async || held.current().await.unwrap().access_key_id().to_owned();
        assert_eq!(key().await, "AKIA0");
        assert!(held.refused("AKIA0"));
        assert_eq!((key().await, key().await), ("AKIA1".to_owned(), "AKIA1".to_owned()));
        assert!(held.refused("AKIA0"), "a request that was under way is sent again with the new key");
        assert!(!held.refused("AKIA1"), "new credentials were refused too");
        assert_eq!(key().await, "AKIA1");
        pass(&clock, 90);
        assert!(held.refused("AKIA1"));
        assert_eq!(key().await, "AKIA2");
    }

    #[tokio::test]
    async fn credentials_that_cannot_be_renewed_are_not_tried_twice() {
        let clock = Clock(Arc::new(std::sync::Mutex::new(SystemTime::UNIX_EPOCH)));
        let fixed = Credentials::new("AKIA", "secret", None, None, "test");
        let source = Source::Chain(SharedCredentialsProvider::new(fixed));
        let held = HeldCredentials::new(source, SharedTimeSource::new(clock));
        held.current().await.unwrap();
        assert!(held.refused("AKIA"));
        held.current().await.unwrap();
        assert!(!held.refused("AKIA"));
    }

    #[tokio::test]
    async fn a_failed_renewal_uses_the_old_credentials_while_they_live() {
        let (held, clock) = held(true);
        held.current().await.unwrap();
        pass(&clock, 3_400);
        assert_eq!(held.current().await.unwrap().access_key_id(), "AKIA0");
        pass(&clock, 300);
        assert!(matches!(held.current().await.unwrap_err().fault, Fault::NoCredentials(_)));
    }
}
