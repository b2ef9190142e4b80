//! Credentials that renew themselves: one set per account, shared by every client of the account.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// After a renewal that brought nothing better, the source is left alone for so long, or for half of what is left of the
/// credentials, whichever is shorter: each request would ask it again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

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
    current: std::sync::Mutex<Option<Current>>,
    /// Who renews. Others wait only when there is nothing else to hand out.
    renewing: Mutex<Option<Failure>>,
    /// Renewals that have ended
    renewals: AtomicU64,
    refusal: std::sync::Mutex<Option<Refusal>>,
}

#[derive(Debug)]
struct Current {
    credentials: Credentials,
    /// Not renewed before this time
    rest_until: Option<SystemTime>,
}

/// A renewal that left nothing to hand out.
#[derive(Debug)]
struct Failure {
    /// The number of the renewal
    number: u64,
    error: Error,
}

/// What there is to hand out.
enum State {
    /// Good for the next minutes, or not to be renewed now
    Good(Credentials),
    /// Still good for so long, and to be renewed
    Ending(Credentials, Duration),
    /// None that live
    Nothing,
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
        Self(Arc::new(Held {
            source,
            clock,
            current: std::sync::Mutex::default(),
            renewing: Mutex::default(),
            renewals: AtomicU64::new(0),
            refusal: std::sync::Mutex::default(),
        }))
    }

    /// Credentials that are good for the next minutes. Callers that ask at the same time share one renewal, also one
    /// that fails. While the old credentials live, nobody but the one who renews waits, and when the renewal fails they
    /// are used.
    ///
    /// # Errors
    /// The source has none, or STS refuses.
    pub(super) async fn current(&self) -> Result<Credentials, Error> {
        let ended_before = self.0.renewals.load(Ordering::SeqCst);
        let mut renewing = match (self.state(), self.0.renewing.try_lock()) {
            (State::Good(credentials), _) | (State::Ending(credentials, _), Err(_)) => return Ok(credentials),
            (_, Ok(renewing)) => renewing,
            (State::Nothing, Err(_)) => self.0.renewing.lock().await,
        };
        match (self.state(), &*renewing) {
            (State::Good(credentials), _) => Ok(credentials),
            (State::Ending(credentials, left), _) => Ok(self.renew_while_good(credentials, left).await),
            (State::Nothing, Some(failure)) if failure.number > ended_before => Err(failure.error.clone()),
            (State::Nothing, _) => {
                let loaded = self.0.source.load().await;
                let number = self.0.renewals.fetch_add(1, Ordering::SeqCst) + 1;
                *renewing = loaded.as_ref().err().map(|error| Failure { number, error: error.clone() });
                loaded.map(|new| self.keep(new))
            }
        }
    }

    /// New credentials, or those that are `left` for a while. Half of the time is for the renewal: what is left after it
    /// must be enough for the request.
    async fn renew_while_good(&self, credentials: Credentials, left: Duration) -> Credentials {
        let failure = match tokio::time::timeout(left / 2, self.0.source.load()).await {
            Ok(Ok(new)) => return self.keep(new),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(
            seconds_left = left.as_secs(),
            "AWS credentials cannot be renewed, the old ones are used: {failure}"
        );
        self.rest(credentials)
    }

    fn keep(&self, new: Credentials) -> Credentials {
        if let Some(same) = self.refusal().as_mut().filter(|r| r.access_key == new.access_key_id()) {
            same.is_final = true;
        }
        if self.left(&new).is_none_or(|left| left > RENEW_BEFORE) {
            *self.held() = Some(Current { credentials: new.clone(), rest_until: None });
            return new;
        }
        self.rest(new)
    }

    /// Keeps credentials that end soon, since there are no better ones now.
    fn rest(&self, credentials: Credentials) -> Credentials {
        let pause = self.left(&credentials).map(|left| RENEWAL_PAUSE.min(left / 2));
        let rest_until = pause.map(|pause| self.0.clock.now() + pause);
        *self.held() = Some(Current { credentials: credentials.clone(), rest_until });
        credentials
    }

    fn state(&self) -> State {
        let mut held = self.held();
        if held.as_ref().is_some_and(|c| self.is_refused(c.credentials.access_key_id())) {
            *held = None;
        }
        let Some(Current { credentials, rest_until }) = &*held else { return State::Nothing };
        match self.left(credentials) {
            Some(Duration::ZERO) => State::Nothing,
            Some(left) if left <= RENEW_BEFORE && rest_until.is_none_or(|end| end <= self.0.clock.now()) => {
                State::Ending(credentials.clone(), left)
            }
            _ => State::Good(credentials.clone()),
        }
    }

    /// How long credentials still live; `None`: for ever.
    fn left(&self, credentials: &Credentials) -> Option<Duration> {
        credentials.expiry().map(|end| end.duration_since(self.0.clock.now()).unwrap_or_default())
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Current>> {
        self.0.current.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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

    /// Hands out credentials that end `lives` after `made`, and counts; what comes later is told by `later`.
    #[derive(Debug)]
    struct Counting {
        made: SystemTime,
        lives: Duration,
        later: Later,
        count: Arc<AtomicUsize>,
    }

    /// What a source does from the second time on.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Later {
        Works,
        Fails,
        /// It never answers
        Hangs,
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let count = self.count.fetch_add(1, Ordering::SeqCst);
            let name = format!("AKIA{count}");
            let new = Credentials::new(name, "secret", None, Some(self.made + self.lives), "test");
            let later = if count > 0 { self.later } else { Later::Works };
            future::ProvideCredentials::new(async move {
                tokio::task::yield_now().await;
                match later {
                    Later::Works => Ok(new),
                    Later::Fails => Err(CredentialsError::not_loaded_no_source()),
                    Later::Hangs => std::future::pending().await,
                }
            })
        }
    }

    #[derive(Debug, Clone)]
    struct Clock(Arc<std::sync::Mutex<SystemTime>>);

    impl TimeSource for Clock {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    fn counted(lives: u64, later: Later) -> (HeldCredentials, Clock, Arc<AtomicUsize>) {
        let made = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let (clock, count) = (Clock(Arc::new(std::sync::Mutex::new(made))), Arc::default());
        let source = Counting { made, lives: Duration::from_secs(lives), later, count: Arc::clone(&count) };
        let source = Source::Chain(SharedCredentialsProvider::new(source));
        (HeldCredentials::new(source, SharedTimeSource::new(clock.clone())), clock, count)
    }

    fn held(later: Later) -> (HeldCredentials, Clock) {
        let (held, clock, _) = counted(3_600, later);
        (held, clock)
    }

    fn pass(clock: &Clock, seconds: u64) {
        *clock.0.lock().unwrap() += Duration::from_secs(seconds);
    }

    #[tokio::test]
    async fn credentials_are_kept_until_shortly_before_they_end() {
        let (held, clock) = held(Later::Works);
        assert_eq!(held.current().await.unwrap().access_key_id(), "AKIA0");
        pass(&clock, 3_200);
        assert_eq!(held.current().await.unwrap().access_key_id(), "AKIA0");
        pass(&clock, 150);
        assert_eq!(held.current().await.unwrap().access_key_id(), "AKIA1");
    }

    #[tokio::test]
    async fn a_key_that_aws_calls_expired_is_renewed_once() {
        let (held, clock) = held(Later::Works);
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
        let (held, clock) = held(Later::Fails);
        held.current().await.unwrap();
        pass(&clock, 3_400);
        assert_eq!(held.current().await.unwrap().access_key_id(), "AKIA0");
        pass(&clock, 300);
        assert!(matches!(held.current().await.unwrap_err().fault, Fault::NoCredentials(_)));
    }

    async fn ask(held: &HeldCredentials, times: usize) -> Vec<Result<String, Error>> {
        let key = || async { held.current().await.map(|c| c.access_key_id().to_owned()) };
        futures_util::future::join_all((0..times).map(|_| key())).await
    }

    #[tokio::test]
    async fn after_a_failed_renewal_the_source_is_left_alone_for_a_while() {
        let (held, clock, count) = counted(3_600, Later::Fails);
        let all = async |times| ask(&held, times).await.into_iter().all(|key| key.is_ok_and(|key| key == "AKIA0"));
        assert!(all(50).await);
        pass(&clock, 3_400);
        assert!(all(50).await && all(50).await);
        assert_eq!(count.load(Ordering::SeqCst), 2);
        pass(&clock, 30);
        assert!(all(50).await && all(50).await);
        assert_eq!(count.load(Ordering::SeqCst), 3);
        // Ten seconds are left: the next try comes after five.
        pass(&clock, 160);
        assert!(all(50).await);
        pass(&clock, 5);
        assert!(all(50).await && all(50).await);
        assert_eq!(count.load(Ordering::SeqCst), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_without_an_answer_is_given_up_while_the_credentials_live_and_holds_up_nobody_else() {
        let (held, clock, count) = counted(3_600, Later::Hangs);
        ask(&held, 1).await;
        pass(&clock, 3_400);
        let began = tokio::time::Instant::now();
        let (slow, others) = tokio::join!(held.current(), async { (ask(&held, 20).await, began.elapsed()) });
        assert_eq!(slow.unwrap().access_key_id(), "AKIA0");
        assert_eq!(began.elapsed(), Duration::from_secs(100));
        assert!(others.0.into_iter().all(|key| key.is_ok()) && others.1 == Duration::ZERO);
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_source_that_has_nothing_better_is_not_asked_for_every_request() {
        let (held, clock, count) = counted(240, Later::Works);
        ask(&held, 20).await;
        assert_eq!(count.load(Ordering::SeqCst), 1);
        pass(&clock, 29);
        ask(&held, 20).await;
        assert_eq!(count.load(Ordering::SeqCst), 1);
        pass(&clock, 1);
        ask(&held, 20).await;
        ask(&held, 20).await;
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn those_who_wait_share_a_failed_renewal_and_those_who_come_later_do_not() {
        let (held, clock, count) = counted(3_600, Later::Fails);
        ask(&held, 1).await;
        pass(&clock, 3_601);
        assert!(ask(&held, 30).await.iter().all(Result::is_err));
        assert_eq!(count.load(Ordering::SeqCst), 2);
        assert!(ask(&held, 30).await.iter().all(Result::is_err));
        assert_eq!(count.load(Ordering::SeqCst), 3);
    }
}
