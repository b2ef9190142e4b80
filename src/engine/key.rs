//! What a login proves itself with: a password, or a token that lives for minutes.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Fault;
use crate::access::Secret;

/// A token of IAM database authentication, used in place of a password and only over TLS.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its text
    pub secret: Secret<String>,
    /// Whether it was made for this login; one that was kept may have ended meanwhile
    pub fresh: bool,
}

/// Where tokens come from.
pub trait Tokens: fmt::Debug + Send + Sync {
    /// A token for a login that begins now. `refused` is one that the server has just refused: it is forgotten, and
    /// the answer is fresh.
    ///
    /// # Errors
    /// No credentials to sign with.
    fn token<'a>(&'a self, refused: Option<&'a Token>) -> BoxFuture<'a, Result<Token, Fault>>;
}

/// What an administrator logs in with.
#[derive(Debug, Clone)]
pub enum Key {
    /// A password
    Password(Secret<String>),
    /// Tokens, each good for logins during some minutes
    Tokens(Arc<dyn Tokens>),
}

/// What is shown to the server at one login.
#[derive(Debug)]
pub(super) enum Shown {
    /// A password
    Password(Secret<String>),
    /// A token
    Token(Token),
}

impl Shown {
    /// The text to send.
    pub(super) fn secret(&self) -> &Secret<String> {
        match self {
            Self::Password(secret) => secret,
            Self::Token(token) => &token.secret,
        }
    }

    /// Whether it goes over the wire as it is.
    pub(super) fn is_token(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// Refuses to send a token without TLS: whoever reads it may log in with it.
    pub(super) fn check(&self, encrypted: bool) -> Result<(), Fault> {
        if self.is_token() && !encrypted {
            let text = "a token of IAM authentication is sent only over TLS, and tls.mode is \"disable\"";
            return Err(Fault::Unsupported(text.to_owned()));
        }
        Ok(())
    }
}

impl Key {
    /// What to show at a login that begins now.
    pub(super) async fn show(&self) -> Result<Shown, Fault> {
        match self {
            Self::Password(password) => Ok(Shown::Password(password.clone())),
            Self::Tokens(tokens) => Ok(Shown::Token(tokens.token(None).await?)),
        }
    }

    /// What to show after the server refused this, if there is anything else: a kept token has one successor, a fresh
    /// one and a password have none.
    pub(super) async fn show_again(&self, refused: &Shown) -> Result<Option<Shown>, Fault> {
        match (self, refused) {
            (Self::Tokens(tokens), Shown::Token(token)) if !token.fresh => {
                Ok(Some(Shown::Token(tokens.token(Some(token)).await?)))
            }
            _ => Ok(None),
        }
    }
}

impl From<Secret<String>> for Key {
    fn from(password: Secret<String>) -> Self {
        Self::Password(password)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Keeps the first token it made until it is refused.
    #[derive(Debug, Default)]
    struct Counting(AtomicU32);

    impl Tokens for Counting {
        fn token<'a>(&'a self, refused: Option<&'a Token>) -> BoxFuture<'a, Result<Token, Fault>> {
            let kept = self.0.load(Ordering::SeqCst) > 0 && refused.is_none();
            let number = if kept { self.0.load(Ordering::SeqCst) } else { self.0.fetch_add(1, Ordering::SeqCst) + 1 };
            Box::pin(async move { Ok(Token { secret: Secret::new(format!("t{number}")), fresh: !kept }) })
        }
    }

    #[tokio::test]
    async fn a_kept_token_has_one_successor_and_a_fresh_one_none() {
        let key = Key::Tokens(Arc::new(Counting::default()));
        let first = key.show().await.unwrap();
        assert_eq!(first.secret().expose(), "t1");
        assert!(first.check(true).is_ok() && first.check(false).is_err());
        assert!(key.show_again(&first).await.unwrap().is_none(), "a fresh token was refused: another one is no better");
        let kept = key.show().await.unwrap();
        assert_eq!(kept.secret().expose(), "t1");
        let fresh = key.show_again(&kept).await.unwrap().unwrap();
        assert_eq!(fresh.secret().expose(), "t2");
        assert!(key.show_again(&fresh).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_refused_password_has_no_successor() {
        let key = Key::from(Secret::from("p"));
        let shown = key.show().await.unwrap();
        assert!(shown.check(false).is_ok());
        assert!(key.show_again(&shown).await.unwrap().is_none());
    }
}
