//! Roles and administrators that log in with tokens, on servers with a stand-in for the part of RDS that checks them.
//! These tests name their servers, whatever the others run on.

use rdsaccess::access::{Access, Auth, RoleName, Secret};
use rdsaccess::engine::{Fault, Login, Server, Terms};

use super::*;
use crate::iam_rig::{IamRig, TokenWish};
use crate::installed::MYSQL;
use crate::server_mariadb::ADMIN;

const MARIADB: &str = "mariadb-10.11";

async fn prepared(name: &str) -> (IamRig, TestServer) {
    let rig = IamRig::start();
    let server = TestServer::start_with_iam(name, &rig).await;
    server.by_hand(&["CREATE DATABASE app", "CREATE TABLE app.t (id INT)", "CREATE TABLE app.u (id INT)"]).await;
    (rig, server)
}

/// The role with a right beside its level, so that a switch could lose something.
fn reader(auth: Auth) -> RoleSpec {
    let beside = single("app", ObjectKind::Table, &["t"], &["INSERT"]);
    let reader = with(&[beside], on(&["app"], role("hoop_ro", Access::ReadOnly)));
    RoleSpec { terms: Terms { auth, ..Terms::default() }, ..reader }
}

fn gaps(observed: &Observed) -> Vec<&str> {
    observed.login.iter().map(|gap| gap.what.as_str()).collect()
}

fn right_token(server: &TestServer) -> String {
    TokenWish::new("hoop_ro", server.port()).token()
}

/// The login is refused by the server, with either way to log in.
async fn assert_refused(server: &TestServer, secret: &str, why: &str) {
    let error = server.connect(("hoop_ro", secret), "").await.err().unwrap_or_else(|| panic!("{why}"));
    // The driver does not send a password in clear for a server that asks for a token.
    let asks_for_token =
        matches!(&error, mysql_async::Error::Driver(mysql_async::DriverError::CleartextPluginDisabled));
    assert!(asks_for_token || is_access_denied(&error), "{why}: {error}");
    let error = server.connect_with_token(("hoop_ro", secret)).await.err().unwrap_or_else(|| panic!("{why}"));
    assert!(is_access_denied(&error), "{why}: {error}");
}

fn is_access_denied(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Server(said) if said.code == 1045)
}

/// The level and the right beside it, and nothing more.
async fn assert_rights(conn: &mut Conn) {
    may(conn, "SELECT * FROM app.u").await;
    may(conn, "INSERT INTO app.t VALUES (1)").await;
    may_not(conn, "INSERT INTO app.u VALUES (1)").await;
}

async fn assert_settled(server: &TestServer, spec: &RoleSpec, password: Option<&Secret<String>>) {
    let position = server.log_position();
    assert_complete(&mysql(server).ensure(spec, password).await.unwrap(), &["app"]);
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
}

async fn assert_tokens_only(rig: &IamRig, server: &TestServer) {
    let token = right_token(server);
    let conn = server.connect_with_token(("hoop_ro", &token)).await;
    assert_rights(&mut conn.unwrap_or_else(|error| panic!("{error}: {}", rig.log()))).await;
    assert_refused(server, PASSWORD, "the password outlived the switch to tokens").await;
    assert_refused(server, "", "a login without anything").await;
    let of_another = TokenWish::new("hoop_rw", server.port()).token();
    assert_refused(server, &of_another, "a token of another user").await;
    assert!(rig.log().contains("it is for user 'hoop_rw'"), "{}", rig.log());

    let open = server.connect_with_token_in_the_open(("hoop_ro", &token)).await.err().unwrap();
    assert!(is_access_denied(&open), "{open}");
    let demand = server.by_hand(&["SELECT ssl_type FROM mysql.user WHERE User = 'hoop_ro'"]).await;
    assert_eq!(demand, [["ANY"]], "the account itself demands TLS, beside the plugin");
}

async fn a_role_goes_to_tokens_and_back(name: &str) {
    let (rig, server) = prepared(name).await;
    let (by_password, by_token) = (reader(Auth::Password), reader(Auth::Iam));
    assert_complete(&ensure(&mysql(&server), &by_password).await, &["app"]);
    assert_rights(&mut enter(&server, "hoop_ro", "app").await).await;
    assert_refused(&server, &right_token(&server), "a token where a password is asked for").await;

    let seen = mysql(&server).read(&by_token).await.unwrap();
    assert!(gaps(&seen).len() == 1 && gaps(&seen)[0].ends_with("instead of IAM"), "{seen:?}");
    let position = server.log_position();
    assert_complete(&mysql(&server).ensure(&by_token, None).await.unwrap(), &["app"]);
    let sent = changing(&server.logged_since(position));
    assert!(sent.len() == 1 && sent[0].starts_with("ALTER USER") && sent[0].ends_with("REQUIRE SSL"), "{sent:?}");
    assert_tokens_only(&rig, &server).await;
    assert_settled(&server, &by_token, None).await;

    let seen = mysql(&server).read(&by_password).await.unwrap();
    assert_eq!(gaps(&seen), ["logs in with IAM instead of a password"]);
    let next = Secret::from("Next-pass.word~1");
    let position = server.log_position();
    assert_complete(&mysql(&server).ensure(&by_password, Some(&next)).await.unwrap(), &["app"]);
    let sent = changing(&server.logged_since(position));
    assert!(sent.len() == 1 && sent[0].starts_with("ALTER USER"), "{sent:?}");
    // Before anybody logs in with the new password: MySQL keeps the last one that was good in memory.
    assert_refused(&server, PASSWORD, "the password from before the tokens came back").await;
    assert_refused(&server, &right_token(&server), "tokens outlived the switch to a password").await;
    assert_rights(&mut server.connect(("hoop_ro", next.expose()), "app").await.unwrap()).await;
    assert_settled(&server, &by_password, Some(&next)).await;
    assert!(!server.logged_since(0).contains(next.expose()));
}

#[tokio::test]
async fn a_role_of_mariadb_goes_to_tokens_and_back() {
    a_role_goes_to_tokens_and_back(MARIADB).await;
}

#[tokio::test]
async fn a_role_of_mysql_goes_to_tokens_and_back() {
    a_role_goes_to_tokens_and_back(MYSQL).await;
}

/// A role that has only ever known tokens.
async fn a_new_role_takes_tokens_only(name: &str) {
    let (rig, server) = prepared(name).await;
    assert_complete(&mysql(&server).ensure(&reader(Auth::Iam), None).await.unwrap(), &["app"]);
    assert_tokens_only(&rig, &server).await;
    assert_settled(&server, &reader(Auth::Iam), None).await;
}

#[tokio::test]
async fn a_new_role_of_mariadb_takes_tokens_only() {
    a_new_role_takes_tokens_only(MARIADB).await;
}

#[tokio::test]
async fn a_new_role_of_mysql_takes_tokens_only() {
    a_new_role_takes_tokens_only(MYSQL).await;
}

#[tokio::test]
async fn an_old_password_that_was_kept_ends_with_the_switch_to_tokens() {
    let (_rig, server) = prepared(MYSQL).await;
    let mut keeping = reader(Auth::Password);
    keeping.terms.keeps_old_password = true;
    let passwords = ["First-pass.word~1", "Second-pass.word~2", "Third-pass.word~3"];
    let [first, second, third] = passwords.map(Secret::<String>::from);
    for password in [&first, &second] {
        mysql(&server).ensure(&keeping, Some(password)).await.unwrap();
    }
    for password in [&first, &second] {
        server.connect(("hoop_ro", password.expose()), "app").await.unwrap();
    }
    assert_complete(&mysql(&server).ensure(&reader(Auth::Iam), None).await.unwrap(), &["app"]);
    for password in [&first, &second] {
        assert_refused(&server, password.expose(), "a password beside the tokens").await;
    }
    // Neither comes back, although the role may keep an old password again.
    assert_complete(&mysql(&server).ensure(&keeping, Some(&third)).await.unwrap(), &["app"]);
    for password in [&first, &second] {
        assert_refused(&server, password.expose(), "a password from before the tokens").await;
    }
    server.connect(("hoop_ro", third.expose()), "app").await.unwrap();
}

async fn an_administrator_enters_with_tokens(name: &str) {
    let (rig, server) = prepared(name).await;
    server
        .by_hand(&[
            "ALTER USER admin1@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'",
            "ALTER USER admin1@'%' REQUIRE SSL",
        ])
        .await;
    let right = TokenWish::new(ADMIN.0, server.port());
    // A new process each time, so that every call has to log in.
    let engine =
        |wish: &TokenWish| Mysql::new(Login { key: wish.clone().of_a_role().key(), ..server.admin() }).unwrap();
    let spec = reader(Auth::Password);
    let seen = engine(&right).read(&spec).await.unwrap();
    assert_eq!(texts(&seen.coverage)["app"], "role is missing");
    assert_complete(&ensure(&engine(&right), &spec).await, &["app"]);
    assert_rights(&mut enter(&server, "hoop_ro", "app").await).await;
    assert!(engine(&right).accepts(&spec, &password()).await.unwrap());
    assert!(engine(&right).proves(&spec, &password()).await.unwrap());
    assert_complete(&engine(&right).ensure(&reader(Auth::Iam), None).await.unwrap(), &["app"]);
    assert_tokens_only(&rig, &server).await;
    assert_eq!(engine(&right).end_sessions(&spec).await.unwrap(), [""; 0]);
    assert_eq!(engine(&right).remove(&spec, &removal::dropped()).await.unwrap(), [""; 0]);
    assert_eq!(server.by_hand(&["SELECT COUNT(*) FROM mysql.user WHERE User = 'hoop_ro'"]).await, [["0"]]);
    // `proves` as well, which asks whether the login was by the account's own password.
    assert_eq!(rig.log().matches("accepted admin1").count(), 7, "{}", rig.log());

    let wrong = TokenWish { user: "hoop_ro".to_owned(), ..right };
    let error = engine(&wrong).ping().await.unwrap_err();
    assert!(matches!(&error.fault, Fault::LoginRefused(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("X-Amz"), "the error holds the token");
    let administrator: RoleName = ADMIN.0.parse().unwrap();
    let itself = RoleSpec { name: administrator, ..reader(Auth::Iam) };
    let right = TokenWish::new(ADMIN.0, server.port());
    assert!(engine(&right).ensure(&itself, None).await.is_err(), "the administrator is no role");
}

#[tokio::test]
async fn an_administrator_of_mariadb_enters_with_tokens() {
    an_administrator_enters_with_tokens(MARIADB).await;
}

#[tokio::test]
async fn an_administrator_of_mysql_enters_with_tokens() {
    an_administrator_enters_with_tokens(MYSQL).await;
}
