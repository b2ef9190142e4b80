//! How an account logs in: tokens, old passwords, limits.

use super::super::roles::account_name;
use super::super::terms::judge;
use super::*;
use crate::access::{Auth, Gap};
use crate::engine::Terms;

const MYSQL_9: Dialect = Dialect { mariadb: false, version: (9, 7, 0) };

fn on_terms(terms: Terms) -> RoleSpec {
    RoleSpec { terms, ..adopted(Access::ReadOnly) }
}

fn iam() -> RoleSpec {
    on_terms(Terms { auth: Auth::Iam, ..Terms::default() })
}

fn keeping() -> RoleSpec {
    on_terms(Terms { keeps_old_password: true, ..Terms::default() })
}

fn limited(limit: u32) -> RoleSpec {
    on_terms(Terms { connection_limit: Some(limit), ..Terms::default() })
}

/// A server without databases, where the account is as given.
fn with_account(dialect: Dialect, change: impl FnOnce(Account) -> Account) -> Catalog {
    let mut catalog = catalog(dialect, &[]);
    catalog.accounts = vec![change(account(&catalog))];
    catalog
}

fn logins(ways: &[(&str, &str)]) -> Vec<(String, Secret<Vec<u8>>)> {
    ways.iter().map(|(plugin, text)| ((*plugin).to_owned(), Secret::new(text.as_bytes().to_vec()))).collect()
}

fn with_password(catalog: &Catalog, spec: &RoleSpec, password: &str) -> Vec<String> {
    statements(catalog, spec, Some(password)).iter().map(|statement| statement.sql().to_owned()).collect()
}

fn refused(catalog: &Catalog, spec: &RoleSpec, password: Option<&str>) -> String {
    let password = password.map(Secret::from);
    let fault = plan(catalog, spec, password.as_ref(), true).unwrap_err().fault;
    assert!(matches!(fault, Fault::Unsupported(_)), "{fault}");
    fault.to_string()
}

#[test]
fn an_account_for_tokens_has_no_password_and_needs_tls_in_any_case() {
    for (dialect, way) in [
        (MYSQL_8, "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"),
        (MARIADB, "IDENTIFIED VIA AWSAuthenticationPlugin USING 'RDS'"),
    ] {
        let created = plan(&catalog(dialect, &[]), &iam(), None, false).unwrap().statements;
        let expected = format!("CREATE USER `hoop_ro`@`%` {way} REQUIRE SSL ACCOUNT LOCK");
        assert!(created[0].sql().starts_with(&expected), "{}", created[0].sql());

        let catalog = with_account(dialect, |account| Account { tls: Tls::Optional, ..account });
        assert_eq!(
            login_gaps(&catalog, &iam()),
            ["login without TLS is allowed", "logs in with mysql_native_password instead of IAM"]
        );
        assert_eq!(sql(&catalog, &iam()), [format!("ALTER USER `hoop_ro`@`%` {way} REQUIRE SSL")]);
    }
    assert!(refused(&catalog(MYSQL_8, &[]), &iam(), Some("password")).contains("takes no password"));
}

#[test]
fn tokens_are_given_up_for_a_password_in_place() {
    let tokens = |account| Account { logins: logins(&[("AWSAuthenticationPlugin", "RDS")]), ..account };
    let catalog = with_account(MARIADB, tokens);
    assert_eq!(sql(&catalog, &iam()), [""; 0], "nothing to do as long as tokens are wanted");
    assert_eq!(login_gaps(&catalog, &iam()), [""; 0]);
    let back = adopted(Access::ReadOnly);
    assert_eq!(login_gaps(&catalog, &back), ["logs in with IAM instead of a password"]);
    assert_eq!(
        with_password(&catalog, &back, "password"),
        [format!("ALTER USER `hoop_ro`@`%` IDENTIFIED VIA mysql_native_password USING '{NATIVE_HASH}'")]
    );
    assert_eq!(sql(&catalog, &back), [""; 0], "the tokens stay until there is a password");
}

#[test]
fn a_second_way_to_log_in_is_a_gap_and_goes_without_a_new_password() {
    let two =
        |account| Account { logins: logins(&[("unix_socket", ""), ("mysql_native_password", NATIVE_HASH)]), ..account };
    let catalog = with_account(MARIADB, two);
    assert_eq!(login_gaps(&catalog, &adopted(Access::ReadOnly)), ["logs in with unix_socket or mysql_native_password"]);
    assert_eq!(
        sql(&catalog, &adopted(Access::ReadOnly)),
        [format!("ALTER USER `hoop_ro`@`%` IDENTIFIED VIA mysql_native_password USING '{NATIVE_HASH}'")]
    );
}

#[test]
fn a_plugin_that_takes_no_password_of_ours_is_a_gap_and_goes_with_a_new_one() {
    for (dialect, plugin) in [(MYSQL_8, "sha256_password"), (MYSQL_8, "auth_socket"), (MARIADB, "ed25519")] {
        let catalog = with_account(dialect, |account| Account { logins: logins(&[(plugin, "x")]), ..account });
        let spec = adopted(Access::ReadOnly);
        let words = format!("login uses the plugin {plugin}, which this provider does not speak");
        assert_eq!(login_gaps(&catalog, &spec), [words]);
        assert_eq!(sql(&catalog, &spec), [""; 0], "it stays until there is a password");
        let repaired = with_password(&catalog, &spec, "password");
        assert!(repaired.len() == 1 && repaired[0].starts_with("ALTER USER `hoop_ro`@`%` IDENTIFIED "), "{repaired:?}");
        let account = catalog.account(&account_name(&spec)).unwrap();
        assert_eq!(judge(account, &Secret::from("password")), Some(false), "no login is tried");
    }
}

#[test]
fn an_old_password_is_kept_only_where_there_is_one_that_logs_in() {
    let retains = |catalog: &Catalog| with_password(catalog, &keeping(), "another")[0].contains("RETAIN");
    assert!(retains(&with_account(MYSQL_8, |account| account)));
    for change in [
        (|account| Account { locked: true, ..account }) as fn(Account) -> Account,
        |account| Account { expired: true, ..account },
        |account| Account { logins: logins(&[("mysql_native_password", "")]), ..account },
        |account| Account { logins: logins(&[("AWSAuthenticationPlugin", "RDS")]), ..account },
    ] {
        assert!(!retains(&with_account(MYSQL_8, change)));
    }
    let created = with_password(&catalog(MYSQL_8, &[]), &keeping(), "password");
    assert!(!created[0].contains("RETAIN"), "{created:?}");
    let never = sql(&with_account(MYSQL_8, |account| account), &keeping());
    assert_eq!(never, [""; 0]);
    let same = with_password(&with_account(MYSQL_8, |account| account), &keeping(), "password");
    assert_eq!(same, [""; 0], "the statement again would end the old password");
}

#[test]
fn an_old_password_that_cannot_be_kept_is_said() {
    let catalog = with_account(MYSQL_9, |account| account);
    let password = Secret::from("another");
    let made = plan(&catalog, &keeping(), Some(&password), true).unwrap();
    let statement = made.statements[0].sql();
    assert!(statement.contains("caching_sha2_password") && !statement.contains("RETAIN"), "{statement}");
    assert!(made.note.unwrap().contains("from mysql_native_password to caching_sha2_password"));
    let kept = plan(&with_account(MYSQL_8, |account| account), &keeping(), Some(&password), true).unwrap();
    assert_eq!(kept.note, None);
}

#[test]
fn an_old_password_that_is_not_wanted_is_ended() {
    let old = |account| Account { keeps_old_password: true, ..account };
    let catalog = with_account(MYSQL_8, old);
    assert_eq!(login_gaps(&catalog, &keeping()), [""; 0]);
    assert_eq!(sql(&catalog, &keeping()), [""; 0]);
    assert_eq!(login_gaps(&catalog, &adopted(Access::ReadOnly)), ["an old password is still good"]);
    assert_eq!(sql(&catalog, &adopted(Access::ReadOnly)), ["ALTER USER `hoop_ro`@`%` DISCARD OLD PASSWORD"]);
    let rotated = with_password(&catalog, &adopted(Access::ReadOnly), "another");
    assert_eq!(rotated[0], "ALTER USER `hoop_ro`@`%` DISCARD OLD PASSWORD");
    assert!(rotated[1].contains("IDENTIFIED WITH mysql_native_password AS '*"), "{rotated:?}");
    assert_eq!(sql(&catalog, &iam()).len(), 1, "with the plugin the old password goes by itself");
}

#[test]
fn what_the_engine_cannot_hold_is_refused_before_any_change() {
    for dialect in [MARIADB, MYSQL_57, Dialect { mariadb: false, version: (8, 0, 13) }] {
        let text = refused(&catalog(dialect, &[]), &keeping(), Some("password"));
        assert!(text.contains("MySQL 8.0.14 and later"), "{text}");
    }
    for (limit, words) in [(0, "reads a connection limit of 0 as no limit"), (u32::MAX, "must not be larger than")] {
        assert!(refused(&catalog(MARIADB, &[]), &limited(limit), None).contains(words));
    }
    let ending = on_terms(Terms { valid_until: Some("2030-01-31T12:00:00Z".parse().unwrap()), ..Terms::default() });
    assert!(refused(&catalog(MYSQL_8, &[]), &ending, None).contains("valid_until"));
}

#[test]
fn limits_that_differ_are_gaps_both_ways() {
    let created = with_password(&catalog(MARIADB, &[]), &limited(5), "password");
    assert!(created[0].ends_with(" REQUIRE SSL WITH MAX_USER_CONNECTIONS 5 ACCOUNT LOCK"), "{created:?}");

    let found = |connections| {
        with_account(MARIADB, move |account| Account { limits: Limits { connections, ..Limits::default() }, ..account })
    };
    for (catalog, spec, gap, limit) in [
        (found(0), limited(5), "connection limit is none instead of 5", 5),
        (found(7), limited(5), "connection limit is 7 instead of 5", 5),
        (found(7), adopted(Access::ReadOnly), "connection limit is 7 instead of none", 0),
    ] {
        assert_eq!(login_gaps(&catalog, &spec), [gap]);
        assert_eq!(sql(&catalog, &spec), [format!("ALTER USER `hoop_ro`@`%` WITH MAX_USER_CONNECTIONS {limit}")]);
    }
    assert_eq!(sql(&found(5), &limited(5)), [""; 0]);
}

#[test]
fn bounds_that_somebody_set_by_hand_are_lifted() {
    let bound = |account| Account {
        tls: Tls::Special,
        limits: Limits { connections: 2, hourly: 100, password_days: 30 },
        ..account
    };
    let catalog = with_account(MARIADB, bound);
    assert_eq!(
        login_gaps(&catalog, &adopted(Access::ReadOnly)),
        [
            "login needs a certificate of the client",
            "connection limit is 2 instead of none",
            "is limited per hour",
            "its password ends every 30 days",
        ]
    );
    assert_eq!(
        sql(&catalog, &adopted(Access::ReadOnly)),
        ["ALTER USER `hoop_ro`@`%` REQUIRE SSL WITH MAX_USER_CONNECTIONS 0 MAX_QUERIES_PER_HOUR 0 \
          MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 PASSWORD EXPIRE DEFAULT"]
    );
}

#[test]
fn what_closing_a_gap_does_to_open_sessions_is_known() {
    let changed = with_account(MYSQL_8, |account| Account {
        locked: true,
        tls: Tls::Optional,
        limits: Limits { connections: 3, ..Limits::default() },
        ..account
    });
    let gaps: Vec<_> = compare(&changed, &limited(5), true).login.into_iter().map(|gap| (gap.what, gap.gap)).collect();
    let expected = [
        ("login is locked", Gap::Lacks),
        ("login without TLS is allowed", Gap::Exceeds),
        ("connection limit is 3 instead of 5", Gap::Terms),
    ];
    assert_eq!(gaps, expected.map(|(what, gap)| (what.to_owned(), gap)));
}

#[test]
fn what_a_create_with_tokens_left_is_ours_where_no_mark_can_tell() {
    let tokens = RoleSpec { adopt: false, ..iam() };
    let left = |dialect, change: fn(Account) -> Account, grants: &[DatabaseGrant]| {
        let mut catalog = catalog(dialect, &["app"]);
        let logins = logins(&[("AWSAuthenticationPlugin", "RDS")]);
        let made = Account { logins, locked: true, attributes: None, ..account(&catalog) };
        catalog.accounts = vec![change(made)];
        catalog.grants = grants.to_vec();
        ownership(&catalog, &tokens)
    };
    for dialect in [MARIADB, MYSQL_57, Dialect { mariadb: false, version: (8, 0, 20) }] {
        let is_ours = |change, grants: &[DatabaseGrant]| left(dialect, change, grants) == Ownership::Ours;
        let whole = [grant("app", "SELECT, SHOW VIEW")];
        assert!(is_ours(|account| account, &[]) && is_ours(|account| account, &whole), "{dialect:?}");
        assert!(is_ours(|account| Account { locked: false, ..account }, &whole), "it only lacks its state");
        assert!(!is_ours(|account| Account { locked: false, ..account }, &[]), "somebody else's that is in use");
        assert!(!is_ours(|account| account, &[grant("app", "SELECT, INSERT")]), "it holds more than was ever given");
        assert!(!is_ours(|account| Account { tls: Tls::Special, ..account }, &[]));
        assert!(!is_ours(|found| Account { logins: account(&catalog(MARIADB, &[])).logins, ..found }, &[]));
    }
    assert!(matches!(left(MYSQL_8, |account| account, &[]), Ownership::Foreign(_)), "a mark would tell");
}

#[test]
fn an_old_password_that_cannot_stay_is_named() {
    let other = |account| Account { logins: logins(&[("sha256_password", "$5$x")]), ..account };
    let password = Secret::from("a-Pass.word~1");
    let note = |account: fn(Account) -> Account| {
        plan(&with_account(MYSQL_8, account), &keeping(), Some(&password), true).unwrap().note
    };
    assert!(note(other).is_some_and(|note| note.contains("ended at once") && note.contains("sha256_password")));
    assert_eq!(note(|account| account), None);
}
