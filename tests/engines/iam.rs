//! Logins with tokens of IAM database authentication: which ones the servers of these tests take. The engines' own
//! statements are proved elsewhere; here the accounts are made by hand, so that a wrong token is refused for its own sake.

use std::time::SystemTime;

use rdsaccess::access::{Endpoint, Secret};
use rdsaccess::aws::settings::StaticKeys;
use rdsaccess::aws::{Sessions, Settings};
use tokio_postgres::NoTls;

use crate::iam_rig::{IamRig, PERMANENT_KEY, REGION, TEMPORARY_KEY, TokenWish};
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
    let (role_key, role_secret, session_token) = TEMPORARY_KEY;
    for (access_key, secret_key, token) in
        [(PERMANENT_KEY.0, PERMANENT_KEY.1, None), (role_key, role_secret, Some(session_token))]
    {
        let keys = StaticKeys {
            access_key: access_key.to_owned(),
            secret_key: Secret::from(secret_key),
            token: token.map(Secret::from),
        };
        let region = REGION.parse().unwrap();
        let sessions = Sessions::new(Settings { static_keys: Some(keys), region: Some(region), ..Settings::default() });
        let (endpoint, region) = (Endpoint { host: "localhost".to_owned(), port }, REGION.parse().unwrap());
        // The servers look at the clock of this machine.
        #[allow(clippy::disallowed_methods)]
        let now = SystemTime::now();
        let token = sessions.iam_token(&endpoint, &region, &USER.parse().unwrap(), now).await.unwrap();
        tokens.push(token.token.expose().clone());
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
