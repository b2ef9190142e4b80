//! Logins with tokens of IAM database authentication: which ones the servers of these tests take. The engines' own
//! statements are proved elsewhere; here the accounts are made by hand, so that a wrong token is refused for its own sake.

use rdsaccess::access::EngineKind;
use rdsaccess::engine::{Fault, Login, open};
use tokio_postgres::NoTls;

use crate::iam_rig::{IamRig, TokenWish};
use crate::installed::MYSQL;
use crate::server_mariadb::TestServer;
use crate::server_postgres::PostgresServer;

const USER: &str = "hoop_ro";

/// Tokens that open nothing, and what the stand-in says of them.
fn wrong_tokens(port: u16) -> Vec<(String, &'static str)> {
    let right = TokenWish::new(USER, port);
    let wishes = [
        (TokenWish { host: "127.0.0.1".to_owned(), ..right.clone() }, "it is for host '127.0.0.1'"),
        (TokenWish { port: port ^ 1, ..right.clone() }, "it is for port"),
        (TokenWish { user: "hoop_rw".to_owned(), ..right.clone() }, "it is for user 'hoop_rw'"),
        (TokenWish { region: "us-east-1".to_owned(), ..right.clone() }, "us-east-1"),
        (TokenWish { age: 1000, ..right.clone() }, "it has expired"),
        (TokenWish { secret_key: "another".to_owned(), ..right.clone() }, "its signature is wrong"),
        (TokenWish { session_token: None, ..right.of_a_role() }, "its session token is missing"),
    ];
    let (wishes, reasons): (Vec<_>, Vec<_>) = wishes.into_iter().unzip();
    let tokens = TokenWish::tokens(&wishes);
    let tampered = tokens[2].replace("hoop_rw", USER);
    let more = [(tampered, "its signature is wrong"), ("R0le-pass.word~geheim".to_owned(), "it is not a token")];
    tokens.into_iter().zip(reasons).chain(more).collect()
}

/// Tokens that open the database: of botocore and of the provider, with a permanent and a temporary key.
async fn right_tokens(port: u16) -> Vec<String> {
    let mut tokens = TokenWish::tokens(&[TokenWish::new(USER, port), TokenWish::new(USER, port).of_a_role()]);
    for wish in [TokenWish::new(USER, port), TokenWish::new(USER, port).of_a_role()] {
        tokens.push(wish.token_of_the_provider().await);
    }
    tokens
}

/// The reason of the last refusal.
fn assert_last_refusal(rig: &IamRig, reason: &str) {
    let log = rig.log();
    let last = log.lines().last().unwrap_or_default();
    assert!(last.starts_with("refused hoop_ro at localhost:") && last.contains(reason), "{reason}: {last}");
}

#[tokio::test]
async fn postgresql_takes_right_tokens_only() {
    let rig = IamRig::start();
    let server = PostgresServer::start_with_iam(&rig).await;
    let by_hand = "CREATE ROLE hoop_ro LOGIN PASSWORD 'R0le-pass.word~geheim'; GRANT rds_iam TO hoop_ro";
    server.master("app").await.batch_execute(by_hand).await.unwrap();
    for token in right_tokens(server.port()).await {
        let client =
            server.connect(USER, &token, "app").await.unwrap_or_else(|error| panic!("{error:?}: {}", rig.log()));
        assert_eq!(client.query_one("SELECT current_user::text", &[]).await.unwrap().get::<_, String>(0), USER);
    }
    for (token, reason) in wrong_tokens(server.port()) {
        let error = server.connect(USER, &token, "app").await.err().unwrap();
        assert_eq!(error.code().map(|code| code.code()), Some("28000"), "{reason}: {error:?}");
        assert_last_refusal(&rig, reason);
    }
    let logins = rig.log();
    let token = TokenWish::new(USER, server.port()).token();
    let mut open = tokio_postgres::Config::new();
    open.host("localhost").port(server.port()).user(USER).password(&token).dbname("app");
    let error = open.connect(NoTls).await.err().unwrap();
    assert_eq!(error.code().map(|code| code.code()), Some("28000"), "{error:?}");
    assert_eq!(rig.log(), logins, "a token went over without TLS");
    // Whoever is not in rds_iam still logs in with a password.
    server.master("app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_postgresql_may_log_in_with_tokens() {
    let rig = IamRig::start();
    let server = PostgresServer::start_with_iam(&rig).await;
    let by_hand = "CREATE ROLE tokens_only LOGIN CREATEROLE; GRANT rds_superuser, rds_iam TO tokens_only";
    server.superuser("postgres").await.batch_execute(by_hand).await.unwrap();
    let login = |key| Login { username: "tokens_only".parse().unwrap(), key, ..server.login() };
    let right = TokenWish::new("tokens_only", server.port());
    open(EngineKind::Postgres, login(right.clone().of_a_role().key())).unwrap().ping().await.unwrap();
    assert!(rig.log().contains("accepted tokens_only"), "{}", rig.log());

    let wrong = TokenWish { user: USER.to_owned(), ..right };
    let error = open(EngineKind::Postgres, login(wrong.key())).unwrap().ping().await.unwrap_err();
    assert!(matches!(error.fault, Fault::LoginRefused(_) | Fault::LoginBarred(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("X-Amz"), "the error holds the token");
}

async fn takes_right_tokens_only(name: &str) {
    let rig = IamRig::start();
    let server = TestServer::start_with_iam(name, &rig).await;
    server.by_hand(&["CREATE USER hoop_ro@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"]).await;
    server.by_hand(&["ALTER USER hoop_ro@'%' REQUIRE SSL"]).await;
    for token in right_tokens(server.port()).await {
        let conn = server.connect_with_token((USER, &token)).await;
        conn.unwrap_or_else(|error| panic!("{error}: {}", rig.log())).disconnect().await.unwrap();
    }
    for (token, reason) in wrong_tokens(server.port()) {
        let error = server.connect_with_token((USER, &token)).await.err().unwrap();
        assert!(matches!(&error, mysql_async::Error::Server(said) if said.code == 1045), "{reason}: {error}");
        assert_last_refusal(&rig, reason);
    }
    let token = TokenWish::new(USER, server.port()).token();
    let error = server.connect_with_token_in_the_open((USER, &token)).await.err().unwrap();
    assert!(matches!(&error, mysql_async::Error::Server(said) if said.code == 1045), "{error}");
}

#[tokio::test]
async fn mariadb_takes_right_tokens_only() {
    takes_right_tokens_only("mariadb-10.11").await;
}

#[tokio::test]
async fn mysql_takes_right_tokens_only() {
    takes_right_tokens_only(MYSQL).await;
}
