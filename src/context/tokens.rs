//! Tokens of IAM database authentication for administrators: one is shared by all logins of one identity as one user
//! at one endpoint, and made anew before it ends.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;

use crate::access::{Endpoint, RoleName, Secret, Target};
use crate::aws::{IamToken, Session};
use crate::engine::{Fault, Token, Tokens};
use crate::report::with_causes;

/// A token is shown so long at most: half a minute less than it lives.
const KEPT: Duration = Duration::from_secs(870);

/// Who signs tokens.
pub(super) trait Sign: fmt::Debug + Send + Sync {
    /// A token that is good from now on.
    fn sign(&self, now: SystemTime) -> BoxFuture<'_, Result<IamToken, Fault>>;
}

/// The identity that acts in an account, as the signer for one user.
#[derive(Debug)]
pub(super) struct AccountSigner {
    session: Session,
    endpoint: Endpoint,
    username: RoleName,
}

impl Sign for AccountSigner {
    fn sign(&self, now: SystemTime) -> BoxFuture<'_, Result<IamToken, Fault>> {
        Box::pin(async move {
            let token = self.session.iam_token(&self.endpoint, &self.username, now).await;
            token.map_err(|error| Fault::NoToken(with_causes(&error)))
        })
    }
}

/// Makes tokens and keeps the last one. Logins that need one at the same time wait for one signature.
pub(super) struct KeptTokens<S> {
    signer: S,
    clock: fn() -> SystemTime,
    kept: tokio::sync::Mutex<Option<Kept>>,
}

struct Kept {
    secret: Secret<String>,
    until: SystemTime,
}

impl<S: Sign> KeptTokens<S> {
    pub(super) fn new(signer: S, clock: fn() -> SystemTime) -> Self {
        Self { signer, clock, kept: tokio::sync::Mutex::default() }
    }
}

impl<S: Sign> fmt::Debug for KeptTokens<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptTokens").field("signer", &self.signer).finish_non_exhaustive()
    }
}

impl<S: Sign> Tokens for KeptTokens<S> {
    fn token<'a>(&'a self, refused: Option<&'a Token>) -> BoxFuture<'a, Result<Token, Fault>> {
        Box::pin(async move {
            let mut kept = self.kept.lock().await;
            let now = (self.clock)();
            let usable = |kept: &&Kept| now < kept.until && refused.is_none_or(|token| token.secret != kept.secret);
            if let Some(good) = kept.as_ref().filter(usable) {
                // Another login may have replaced the refused token already; this one has no successor either.
                return Ok(Token { secret: good.secret.clone(), fresh: refused.is_some() });
            }
            *kept = None;
            let made = self.signer.sign(now).await?;
            let until = made.expires_at.min(now + KEPT);
            *kept = Some(Kept { secret: made.token.clone(), until });
            Ok(Token { secret: made.token, fresh: true })
        })
    }
}

/// Identity, endpoint, user.
type Whose = (String, Endpoint, RoleName);

/// The tokens of every administrator that was met.
#[derive(Default)]
pub(super) struct TokenSources(Mutex<HashMap<Whose, Arc<KeptTokens<AccountSigner>>>>);

impl TokenSources {
    /// Where the tokens of an identity for a user of a database come from.
    pub(super) fn get(
        &self,
        session: Session,
        endpoint: &Endpoint,
        username: &RoleName,
        clock: fn() -> SystemTime,
    ) -> Arc<dyn Tokens> {
        let whose = (session.identity().to_owned(), endpoint.clone(), username.clone());
        let signer = || AccountSigner { session, endpoint: endpoint.clone(), username: username.clone() };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = all.entry(whose).or_insert_with(|| Arc::new(KeptTokens::new(signer(), clock)));
        Arc::clone(tokens) as Arc<dyn Tokens>
    }
}

/// What a policy must allow for a login as a user of a database.
pub(super) fn connect_resource(target: &Target, username: &RoleName) -> String {
    let arn = &target.arn;
    format!("arn:{}:rds-db:{}:{}:dbuser:{}/{username}", arn.partition, arn.region, arn.account_id, target.resource_id)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use super::*;

    /// Signs `t1`, `t2`, … with credentials that end so many seconds after the epoch, if they end.
    #[derive(Debug, Default)]
    struct Counting {
        made: AtomicU32,
        ends: Option<u64>,
        fails: bool,
    }

    impl Sign for Counting {
        fn sign(&self, now: SystemTime) -> BoxFuture<'_, Result<IamToken, Fault>> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                let number = self.made.fetch_add(1, Ordering::SeqCst) + 1;
                if self.fails {
                    return Err(Fault::NoToken("no credentials".to_owned()));
                }
                let end = self.ends.map_or(now + Duration::from_secs(900), at);
                Ok(IamToken { token: Secret::new(format!("t{number}")), expires_at: end })
            })
        }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// A clock of its own for every test.
    macro_rules! clock {
        ($name:ident) => {
            static $name: AtomicU64 = AtomicU64::new(0);
        };
    }

    async fn shown<S: Sign>(tokens: &KeptTokens<S>, refused: Option<&Token>) -> (String, bool) {
        let token = tokens.token(refused).await.unwrap();
        (token.secret.expose().clone(), token.fresh)
    }

    #[tokio::test]
    async fn a_token_is_kept_for_fourteen_and_a_half_minutes() {
        clock!(NOW);
        let tokens = KeptTokens::new(Counting::default(), || at(NOW.load(Ordering::SeqCst)));
        assert_eq!(shown(&tokens, None).await, ("t1".to_owned(), true));
        NOW.store(869, Ordering::SeqCst);
        assert_eq!(shown(&tokens, None).await, ("t1".to_owned(), false));
        NOW.store(870, Ordering::SeqCst);
        assert_eq!(shown(&tokens, None).await, ("t2".to_owned(), true));
    }

    #[tokio::test]
    async fn a_token_never_outlives_the_credentials_that_signed_it() {
        clock!(NOW);
        let signer = Counting { ends: Some(60), ..Counting::default() };
        let tokens = KeptTokens::new(signer, || at(NOW.load(Ordering::SeqCst)));
        shown(&tokens, None).await;
        NOW.store(59, Ordering::SeqCst);
        assert_eq!(shown(&tokens, None).await, ("t1".to_owned(), false));
        NOW.store(60, Ordering::SeqCst);
        assert_eq!(shown(&tokens, None).await, ("t2".to_owned(), true));
    }

    #[tokio::test]
    async fn a_refused_token_is_forgotten_and_its_successor_is_shared() {
        let tokens = KeptTokens::new(Counting::default(), || at(0));
        shown(&tokens, None).await;
        let kept = tokens.token(None).await.unwrap();
        assert_eq!(shown(&tokens, Some(&kept)).await, ("t2".to_owned(), true));
        assert_eq!(shown(&tokens, Some(&kept)).await, ("t2".to_owned(), true), "another login with the old one");
        assert_eq!(shown(&tokens, None).await, ("t2".to_owned(), false));
    }

    #[tokio::test]
    async fn logins_at_the_same_time_share_one_signature() {
        let tokens = KeptTokens::new(Counting::default(), || at(0));
        let all = futures_util::future::join_all((0..8).map(|_| shown(&tokens, None))).await;
        assert!(all.iter().all(|(text, _)| text == "t1"), "{all:?}");
        assert_eq!(all.iter().filter(|(_, fresh)| *fresh).count(), 1);
    }

    #[tokio::test]
    async fn a_signature_that_fails_keeps_nothing() {
        let tokens = KeptTokens::new(Counting { fails: true, ..Counting::default() }, || at(0));
        for _ in 0..2 {
            assert!(tokens.token(None).await.unwrap_err().to_string().contains("no credentials"));
        }
        assert_eq!(tokens.signer.made.load(Ordering::SeqCst), 2);
        assert!(!format!("{tokens:?}").contains("t1"));
    }
}
