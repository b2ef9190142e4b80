use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use rdsaccess::access::{EngineKind, TlsMode};
use rdsaccess::engine::{Fault, Key, Login, Token, Tokens, open};
use rdsaccess::report::Report;

use super::*;
use crate::server_postgres::MASTER_PASSWORD;

const WRONG: &str = "wrong~t0ken";

/// Gives out tokens in this order, and counts how often it is asked.
#[derive(Debug)]
struct Source {
    left: Mutex<VecDeque<Token>>,
    refusals: Mutex<Vec<String>>,
}

impl Tokens for Source {
    fn token<'a>(&'a self, refused: Option<&'a Token>) -> BoxFuture<'a, Result<Token, Fault>> {
        self.refusals.lock().unwrap().extend(refused.map(|token| token.secret.expose().clone()));
        let next = self.left.lock().unwrap().pop_front();
        Box::pin(async move { next.ok_or_else(|| Fault::Unsupported("there are no more tokens".to_owned())) })
    }
}

/// A source of tokens; `true` for one that was made for the login.
fn source(tokens: &[(&str, bool)]) -> Arc<Source> {
    let token = |(text, fresh): &(&str, bool)| Token { secret: Secret::from(*text), fresh: *fresh };
    Arc::new(Source { left: Mutex::new(tokens.iter().map(token).collect()), refusals: Mutex::default() })
}

fn login(server: &PostgresServer, source: &Arc<Source>) -> Login {
    Login { key: Key::Tokens(Arc::<Source>::clone(source)), ..server.login() }
}

fn refusals_in(server: &PostgresServer, from: usize) -> usize {
    server.log().split_off(from).matches("FATAL:").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_token_that_is_refused_has_one_successor() {
    let server = PostgresServer::start().await;
    let source = source(&[(WRONG, false), (MASTER_PASSWORD, true)]);
    let before = server.log().len();
    let engine = open(EngineKind::Postgres, login(&server, &source)).unwrap();
    engine.ping().await.unwrap();
    assert_eq!(refusals_in(&server, before), 1);
    assert_eq!(*source.refusals.lock().unwrap(), [WRONG], "the source must forget the refused one");
    assert!(source.left.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_tried_after_a_fresh_token() {
    let server = PostgresServer::start().await;
    for (tokens, logins) in [(&[(WRONG, true), (MASTER_PASSWORD, true)][..], 1), (&[(WRONG, false), (WRONG, true)], 2)]
    {
        let source = source(tokens);
        let before = server.log().len();
        let error = open(EngineKind::Postgres, login(&server, &source)).unwrap().ping().await.unwrap_err();
        assert!(matches!(&error.fault, Fault::LoginRefused(text) if text.contains("rds-db:connect")), "{error}");
        assert!(!Report::of(&error).to_string().contains(WRONG), "{error}");
        assert_eq!(refusals_in(&server, before), logins);
        assert_eq!(source.refusals.lock().unwrap().len(), logins - 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pam_and_ldap_answer_counts_as_a_refusal() {
    let server = PostgresServer::start().await;
    // A line of `pg_hba.conf` that rejects is answered by class 28000, as PAM and LDAP are.
    server.refuse("admin1").await;
    let source = source(&[(MASTER_PASSWORD, false), (MASTER_PASSWORD, true), (MASTER_PASSWORD, true)]);
    let before = server.log().len();
    let error = open(EngineKind::Postgres, login(&server, &source)).unwrap().ping().await.unwrap_err();
    assert!(matches!(&error.fault, Fault::LoginRefused(text) if text.contains("28000")), "{error}");
    assert_eq!(refusals_in(&server, before), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_never_goes_over_a_connection_without_tls() {
    let server = PostgresServer::start().await;
    let source = source(&[(MASTER_PASSWORD, true)]);
    let mut login = login(&server, &source);
    login.trust.mode = TlsMode::Disable;
    let before = server.log().len();
    let error = open(EngineKind::Postgres, login).unwrap().ping().await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains("only over TLS")), "{error}");
    assert_eq!(server.log().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_login_of_a_change_shows_a_token() {
    let server = PostgresServer::start().await;
    let many: Vec<(&str, bool)> = (0..50).map(|n| (MASTER_PASSWORD, n % 2 == 0)).collect();
    let source = source(&many);
    let engine = open(EngineKind::Postgres, login(&server, &source)).unwrap();
    make(&*engine, &spec("hoop_ro", rdsaccess::access::Access::ReadOnly)).await;
    assert!(source.left.lock().unwrap().len() < 50 && source.refusals.lock().unwrap().is_empty());
}
