//! How a role logs in: limits, second ways, tokens, old passwords.

use rdsaccess::access::{Access, Auth, Secret};
use rdsaccess::engine::{Fault, Server, Terms};

use super::*;

async fn prepared() -> TestServer {
    furnished(TestServer::start(&[]).await).await
}

async fn furnished(server: TestServer) -> TestServer {
    server.by_hand(&["CREATE DATABASE app", "CREATE TABLE app.t (id INT)"]).await;
    server
}

fn on_terms(terms: Terms) -> RoleSpec {
    RoleSpec { terms, ..role("hoop_ro", Access::ReadOnly) }
}

fn gaps(observed: &Observed) -> Vec<&str> {
    observed.login.iter().map(|gap| gap.what.as_str()).collect()
}

#[tokio::test]
async fn a_connection_limit_holds_and_drifts_both_ways() {
    let server = prepared().await;
    let (two, free) =
        (on_terms(Terms { connection_limit: Some(2), ..Terms::default() }), role("hoop_ro", Access::ReadOnly));
    assert_complete(&ensure(&mysql(&server), &two).await, &["app"]);
    let open = [enter(&server, "hoop_ro", "app").await, enter(&server, "hoop_ro", "app").await];
    let third = server.connect(("hoop_ro", PASSWORD), "app").await.unwrap_err();
    assert!(matches!(&third, mysql_async::Error::Server(error) if error.code == 1226), "{third}");
    drop(open);

    server.by_hand(&["ALTER USER hoop_ro@'%' WITH MAX_USER_CONNECTIONS 7"]).await;
    assert_eq!(gaps(&mysql(&server).read(&two).await.unwrap()), ["connection limit is 7 instead of 2"]);
    assert_eq!(gaps(&mysql(&server).read(&free).await.unwrap()), ["connection limit is 7 instead of none"]);
    let position = server.log_position();
    assert_complete(&ensure(&mysql(&server), &two).await, &["app"]);
    assert_complete(&ensure(&mysql(&server), &free).await, &["app"]);
    assert_eq!(
        changing(&server.logged_since(position)),
        [
            "ALTER USER `hoop_ro`@`%` WITH MAX_USER_CONNECTIONS 2",
            "ALTER USER `hoop_ro`@`%` WITH MAX_USER_CONNECTIONS 0",
        ]
    );
    let largest = on_terms(Terms { connection_limit: Some(2_147_483_647), ..Terms::default() });
    assert_complete(&ensure(&mysql(&server), &largest).await, &["app"]);
}

#[tokio::test]
async fn bounds_that_were_set_by_hand_are_named_and_lifted() {
    let server = prepared().await;
    let ro = role("hoop_ro", Access::ReadOnly);
    ensure(&mysql(&server), &ro).await;
    server
        .by_hand(&[
            "ALTER USER hoop_ro@'%' REQUIRE X509 WITH MAX_QUERIES_PER_HOUR 9 MAX_USER_CONNECTIONS 1",
            "ALTER USER hoop_ro@'%' PASSWORD EXPIRE INTERVAL 30 DAY",
        ])
        .await;
    assert_eq!(
        gaps(&mysql(&server).read(&ro).await.unwrap()),
        [
            "login needs a certificate of the client",
            "connection limit is 1 instead of none",
            "is limited per hour",
            "its password ends every 30 days",
        ]
    );
    let position = server.log_position();
    assert_complete(&mysql(&server).ensure(&ro, None).await.unwrap(), &["app"]);
    assert_eq!(changing(&server.logged_since(position)).len(), 1);
    enter(&server, "hoop_ro", "app").await;
}

#[tokio::test]
async fn an_old_password_that_was_kept_by_hand_goes() {
    let server = furnished(TestServer::start_mysql(&[]).await).await;
    let ro = role("hoop_ro", Access::ReadOnly);
    ensure(&mysql(&server), &ro).await;
    server.by_hand(&["ALTER USER hoop_ro@'%' IDENTIFIED BY 'other-Pass1' RETAIN CURRENT PASSWORD"]).await;
    enter(&server, "hoop_ro", "app").await;
    assert_eq!(gaps(&mysql(&server).read(&ro).await.unwrap()), ["an old password is still good"]);
    assert!(!mysql(&server).accepts(&ro, &password()).await.unwrap(), "the old password is not the password");
    assert_complete(&mysql(&server).ensure(&ro, None).await.unwrap(), &["app"]);
    assert!(server.connect(("hoop_ro", PASSWORD), "app").await.is_err());
    server.connect(("hoop_ro", "other-Pass1"), "app").await.unwrap();
}

#[tokio::test]
async fn a_second_way_to_log_in_to_mariadb_goes_and_the_password_stays() {
    let server = furnished(TestServer::start_mariadb(&[]).await).await;
    let ro = role("hoop_ro", Access::ReadOnly);
    ensure(&mysql(&server), &ro).await;
    let with_both = "ALTER USER hoop_ro@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('R0le-pass.word~geheim') \
                     OR mysql_native_password USING PASSWORD('other-Pass1')";
    server.by_hand(&[with_both]).await;
    server.connect(("hoop_ro", "other-Pass1"), "app").await.unwrap();
    let gap = "logs in with mysql_native_password or mysql_native_password";
    assert_eq!(gaps(&mysql(&server).read(&ro).await.unwrap()), [gap]);
    assert_complete(&mysql(&server).ensure(&ro, None).await.unwrap(), &["app"]);
    assert!(server.connect(("hoop_ro", "other-Pass1"), "app").await.is_err());
    enter(&server, "hoop_ro", "app").await;
}

#[tokio::test]
async fn where_iam_is_off_tokens_are_refused_and_nothing_is_changed() {
    let server = prepared().await;
    let iam = on_terms(Terms { auth: Auth::Iam, ..Terms::default() });
    let off = |error: &Fault| matches!(error, Fault::Unsupported(text) if text.contains("IAM database authentication is off"));
    let fresh = mysql(&server).ensure(&iam, None).await.unwrap_err();
    assert!(off(&fresh.fault), "{fresh}");
    let left = server.by_hand(&["SELECT COUNT(*) FROM mysql.user WHERE User = 'hoop_ro'"]).await;
    assert_eq!(left, [["0"]]);

    ensure(&mysql(&server), &role("hoop_ro", Access::ReadOnly)).await;
    let present = mysql(&server).ensure(&iam, None).await.unwrap_err();
    assert!(off(&present.fault), "{present}");
    assert!(gaps(&mysql(&server).read(&iam).await.unwrap())[0].ends_with("instead of IAM"));
    enter(&server, "hoop_ro", "app").await;

    let position = server.log_position();
    let both = mysql(&server).ensure(&iam, Some(&password())).await.unwrap_err();
    assert!(matches!(&both.fault, Fault::Unsupported(text) if text.contains("takes no password")), "{both}");
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
}

#[tokio::test]
async fn mariadb_cannot_keep_an_old_password_and_nothing_is_changed() {
    let server = furnished(TestServer::start_mariadb(&[]).await).await;
    let keeping = on_terms(Terms { keeps_old_password: true, ..Terms::default() });
    let position = server.log_position();
    let error = mysql(&server).ensure(&keeping, Some(&password())).await.unwrap_err();
    assert!(matches!(&error.fault, Fault::Unsupported(text) if text.contains("MySQL 8.0.14")), "{error}");
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
}

#[tokio::test]
async fn a_new_password_leaves_the_old_one_good_until_the_next() {
    let server = furnished(TestServer::start_mysql(&[]).await).await;
    let keeping = on_terms(Terms { keeps_old_password: true, ..Terms::default() });
    let mysql = mysql(&server);
    let passwords = ["First-pass.word~1", "Second-pass.word~2", "Third-pass.word~3"];
    let [first, second, third] = passwords.map(Secret::<String>::from);
    let enters = async |password: &Secret<String>| server.connect(("hoop_ro", password.expose()), "app").await.is_ok();
    for password in [&first, &second] {
        assert_complete(&mysql.ensure(&keeping, Some(password)).await.unwrap(), &["app"]);
    }
    assert!(enters(&first).await && enters(&second).await);
    assert!(mysql.accepts(&keeping, &second).await.unwrap() && !mysql.accepts(&keeping, &first).await.unwrap());
    assert!(mysql.proves(&keeping, &second).await.unwrap());

    // The same statement again would make the new password the old one: a repetition must not send it.
    let position = server.log_position();
    mysql.ensure(&keeping, Some(&second)).await.unwrap();
    mysql.ensure(&keeping, None).await.unwrap();
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
    assert!(enters(&first).await);

    mysql.ensure(&keeping, Some(&third)).await.unwrap();
    assert!(!enters(&first).await && enters(&second).await && enters(&third).await);

    let single = role("hoop_ro", Access::ReadOnly);
    assert_eq!(gaps(&mysql.read(&single).await.unwrap()), ["an old password is still good"]);
    assert_complete(&mysql.ensure(&single, Some(&third)).await.unwrap(), &["app"]);
    assert!(!enters(&second).await && enters(&third).await);
    let log = server.logged_since(0);
    assert!(passwords.iter().all(|password| !log.contains(password)));
}

#[tokio::test]
async fn the_host_decides_which_account_is_meant() {
    let server = prepared().await;
    let near = RoleSpec { host: "127.%".parse().unwrap(), ..role("hoop_ro", Access::ReadOnly) };
    let far = RoleSpec { host: "10.%".parse().unwrap(), ..role("hoop_ro", Access::ReadWrite) };
    let mysql = mysql(&server);
    assert_complete(&ensure(&mysql, &near).await, &["app"]);
    let other = Secret::from("Other-pass.word~9");
    mysql.ensure(&far, Some(&other)).await.unwrap();
    let seen = mysql.read(&near).await.unwrap();
    assert!(texts(&seen.uncovered)["app"].contains("for host 10.%"), "{seen:?}");
    may_not(&mut enter(&server, "hoop_ro", "app").await, "INSERT INTO t VALUES (1)").await;
    assert!(!mysql.proves(&far, &other).await.unwrap(), "no client of this machine gets into that account");
    mysql.remove(&far, &removal::dropped()).await.unwrap();
    enter(&server, "hoop_ro", "app").await;
    assert_eq!(server.by_hand(&["SELECT Host FROM mysql.user WHERE User = 'hoop_ro'"]).await, [["127.%"]]);
}

#[tokio::test]
async fn an_account_without_a_name_and_what_it_gives_to_everybody_are_named() {
    let server = prepared().await;
    let ro = role("hoop_ro", Access::ReadOnly);
    server.by_hand(&["CREATE USER ''@'%' ACCOUNT LOCK", "GRANT INSERT ON app.* TO ''@'%'"]).await;
    let observed = ensure(&mysql(&server), &ro).await;
    let uncovered = &texts(&observed.uncovered)["app"];
    assert!(uncovered.contains("an account without a name exists for host %"), "{uncovered}");
    assert!(uncovered.contains("everybody from % holds INSERT"), "{uncovered}");
    assert!(observed.coverage.is_complete() && observed.login.is_empty());
}

#[tokio::test]
async fn what_mariadb_gives_to_everybody_is_named() {
    let server = furnished(TestServer::start_mariadb(&[]).await).await;
    let ro = role("hoop_ro", Access::ReadOnly);
    ensure(&mysql(&server), &ro).await;
    server.by_hand(&["GRANT PROCESS ON *.* TO PUBLIC", "GRANT DELETE ON app.t TO PUBLIC"]).await;
    let observed = mysql(&server).read(&ro).await.unwrap();
    let uncovered = &texts(&observed.uncovered)["app"];
    assert!(uncovered.contains("PUBLIC holds rights on all databases"), "{uncovered}");
    assert!(uncovered.contains("PUBLIC holds DELETE on table t"), "{uncovered}");
    assert!(observed.coverage.is_complete() && observed.login.is_empty());
}

#[tokio::test]
async fn a_plugin_that_takes_no_password_of_ours_is_repaired_by_a_new_one() {
    let server = TestServer::start(&[]).await;
    server.by_hand(&["CREATE DATABASE app_prod"]).await;
    let (mysql, ro) = (mysql(&server), role("hoop_ro", Access::ReadOnly));
    assert_complete(&ensure(&mysql, &ro).await, &["app_prod"]);
    let (plugin, clause) = if server.is_mysql {
        ("sha256_password", "WITH sha256_password BY 'Other-Pass1'")
    } else {
        ("unix_socket", "VIA unix_socket")
    };
    server.by_hand(&[&format!("ALTER USER hoop_ro@'%' IDENTIFIED {clause}")]).await;
    let mysql = super::mysql(&server);
    let seen = mysql.read(&ro).await.unwrap();
    let words: Vec<&str> = seen.login.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(words, [format!("login uses the plugin {plugin}, which this provider does not speak")]);
    assert!(!mysql.accepts(&ro, &password()).await.unwrap(), "a refresh goes on and plans a new password");
    let again = ensure(&mysql, &ro).await;
    assert_complete(&again, &["app_prod"]);
    assert!(mysql.proves(&ro, &password()).await.unwrap());
    may(&mut enter(&server, "hoop_ro", "app_prod").await, "SELECT 1").await;
}
