//! Comparison and statements on hand-made catalogs: the dialects of which no server is at hand, and every kind of drift.

mod golden;
mod grants;
mod terms;

use std::collections::BTreeSet;

use super::catalog::{
    Account, AccountName, Catalog, DatabaseGrant, Limits, Membership, Object, ObjectGrant, Settings, Tls,
};
use super::connect::Dialect;
use super::level::{Privilege, Privileges};
use super::password::Plugin;
use super::pattern::NameForm;
use super::plan::plan;
use super::quote::Statement;
use super::roles::{compare, ownership};
use crate::access::{Access, Mark, Secret};
use crate::engine::{Fault, Ownership, RoleSpec, Scope};

const MYSQL_57: Dialect = Dialect { mariadb: false, version: (5, 7, 44) };
const MYSQL_8: Dialect = Dialect { mariadb: false, version: (8, 0, 36) };
const MARIADB: Dialect = Dialect { mariadb: true, version: (10, 11, 6) };
const NATIVE_HASH: &str = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";

fn catalog(dialect: Dialect, databases: &[&str]) -> Catalog {
    let modern = !dialect.mariadb && dialect.version >= (8, 0, 0);
    Catalog {
        dialect,
        administrator: name("admin", "%"),
        active_roles: String::new(),
        settings: Settings {
            form: NameForm::Pattern,
            folds_case: false,
            plugin: if modern { Plugin::CachingSha2 } else { Plugin::Native },
            rounds: 5000,
            mandatory_roles: String::new(),
            iam_loaded: false,
        },
        databases: databases.iter().chain(&["mysql", "information_schema"]).map(|name| (*name).to_owned()).collect(),
        accounts: Vec::new(),
        grants: Vec::new(),
        objects: Vec::new(),
        global: Vec::new(),
        proxies: Vec::new(),
        memberships: Vec::new(),
        named: Default::default(),
    }
}

fn name(user: &str, host: &str) -> AccountName {
    AccountName { user: user.to_owned(), host: host.to_owned() }
}

fn member(user: &str, role: &str, role_host: Option<&str>, with_admin: bool) -> Membership {
    let role_host = role_host.map(str::to_owned);
    Membership { member: name(user, "%"), role: role.to_owned(), role_host, with_admin }
}

fn privileges(names: &str) -> Privileges {
    names.split(", ").map(|name| Privilege::named(name).unwrap()).collect()
}

fn grant(stored: &str, held: &str) -> DatabaseGrant {
    DatabaseGrant { account: name("hoop_ro", "%"), stored: stored.to_owned(), privileges: privileges(held) }
}

fn account(catalog: &Catalog) -> Account {
    Account {
        name: name("hoop_ro", "%"),
        logins: vec![("mysql_native_password".to_owned(), Secret::new(NATIVE_HASH.as_bytes().to_vec()))],
        tls: Tls::Required,
        locked: false,
        expired: false,
        keeps_old_password: false,
        limits: Limits::default(),
        is_role: false,
        is_wide_role: false,
        attributes: catalog
            .dialect
            .has_attributes()
            .then(|| serde_json::json!({ "comment": "by hand", "rdsaccess": spec(Access::ReadOnly).mark })),
    }
}

fn spec(access: Access) -> RoleSpec {
    RoleSpec {
        name: "hoop_ro".parse().unwrap(),
        host: "%".parse().unwrap(),
        access,
        scope: Scope::default(),
        grants: Default::default(),
        terms: Default::default(),
        mark: Mark::new("db-ABC", Some("reader's role".to_owned())),
        adopt: false,
        known: false,
    }
}

fn adopted(access: Access) -> RoleSpec {
    RoleSpec { adopt: true, ..spec(access) }
}

fn chosen(names: &[&str]) -> RoleSpec {
    let databases: BTreeSet<_> = names.iter().map(|name| name.parse().unwrap()).collect();
    RoleSpec { scope: Scope { databases: Some(databases), ..Scope::default() }, ..adopted(Access::ReadOnly) }
}

/// The SQL of the plan without a new password.
fn sql(catalog: &Catalog, spec: &RoleSpec) -> Vec<String> {
    statements(catalog, spec, None).iter().map(|statement| statement.sql().to_owned()).collect()
}

fn statements(catalog: &Catalog, spec: &RoleSpec, password: Option<&str>) -> Vec<Statement> {
    let password = password.map(Secret::from);
    plan(catalog, spec, password.as_ref(), true).unwrap().statements
}

fn coverage(catalog: &Catalog, spec: &RoleSpec) -> Vec<(String, String)> {
    compare(catalog, spec, true).coverage.texts().into_iter().collect()
}

fn login_gaps(catalog: &Catalog, spec: &RoleSpec) -> Vec<String> {
    compare(catalog, spec, true).login.into_iter().map(|gap| gap.what).collect()
}

#[test]
fn a_new_account_is_locked_until_its_grants_are_there() {
    let password = Some("password");
    let mysql = statements(&catalog(MYSQL_8, &["app_prod", "web"]), &spec(Access::ReadOnly), password);
    let create = mysql[0].sql();
    assert!(create.starts_with("CREATE USER `hoop_ro`@`%` IDENTIFIED WITH caching_sha2_password AS '$A$005$"));
    assert!(create.contains(" REQUIRE SSL ACCOUNT LOCK ATTRIBUTE '{\"rdsaccess\":{"), "{create}");
    assert!(create.contains("reader''s role"), "{create}");
    let rest: Vec<&str> = mysql[1..].iter().map(Statement::sql).collect();
    assert_eq!(
        rest,
        [
            r"GRANT SELECT, SHOW VIEW ON `app\_prod`.* TO `hoop_ro`@`%`",
            "GRANT SELECT, SHOW VIEW ON `web`.* TO `hoop_ro`@`%`",
            "ALTER USER `hoop_ro`@`%` ACCOUNT UNLOCK",
        ]
    );

    let mariadb = statements(&catalog(MARIADB, &[]), &spec(Access::ReadOnly), password);
    assert_eq!(
        mariadb.iter().map(Statement::sql).collect::<Vec<_>>(),
        [
            format!(
                "CREATE USER `hoop_ro`@`%` IDENTIFIED VIA mysql_native_password USING '{NATIVE_HASH}' \
                 REQUIRE SSL ACCOUNT LOCK"
            )
            .as_str(),
            "ALTER USER `hoop_ro`@`%` ACCOUNT UNLOCK",
        ]
    );

    let old = statements(&catalog(MYSQL_57, &[]), &spec(Access::ReadOnly), password);
    assert_eq!(
        old[0].sql(),
        format!(
            "CREATE USER `hoop_ro`@`%` IDENTIFIED WITH mysql_native_password AS '{NATIVE_HASH}' REQUIRE SSL ACCOUNT LOCK"
        )
    );
}

#[test]
fn creating_takes_at_most_three_statements_more_than_databases() {
    let databases = ["a", "b", "c", "d"];
    for dialect in [MYSQL_57, MYSQL_8, MARIADB] {
        let count = statements(&catalog(dialect, &databases), &spec(Access::Ddl), Some("password")).len();
        assert!(count <= databases.len() + 3, "{dialect:?}: {count}");
    }
}

#[test]
fn an_account_that_is_as_it_should_be_needs_no_statement() {
    for dialect in [MYSQL_57, MYSQL_8, MARIADB] {
        let mut catalog = catalog(dialect, &["app_prod"]);
        catalog.accounts = vec![account(&catalog)];
        catalog.grants = vec![grant(r"app\_prod", "SELECT, SHOW VIEW")];
        assert!(statements(&catalog, &adopted(Access::ReadOnly), Some("password")).is_empty(), "{dialect:?}");
        assert_eq!(coverage(&catalog, &adopted(Access::ReadOnly)), [("app_prod".to_owned(), "complete".to_owned())]);
        assert_eq!(login_gaps(&catalog, &adopted(Access::ReadOnly)), [""; 0]);
    }
}

#[test]
fn only_what_differs_on_the_account_is_changed() {
    let mut catalog = catalog(MYSQL_8, &[]);
    let bare = Account { tls: Tls::Optional, locked: true, attributes: None, ..account(&catalog) };
    catalog.accounts = vec![bare];
    let statement = &sql(&catalog, &adopted(Access::ReadOnly))[0];
    assert!(
        statement.starts_with("ALTER USER `hoop_ro`@`%` REQUIRE SSL ACCOUNT UNLOCK ATTRIBUTE '{\"rdsaccess\":"),
        "{statement}"
    );
    assert_eq!(login_gaps(&catalog, &adopted(Access::ReadOnly)), ["login is locked", "login without TLS is allowed"]);

    catalog.accounts = vec![account(&catalog)];
    let changed = statements(&catalog, &spec(Access::ReadOnly), Some("another"));
    assert!(changed[0].sql().starts_with("ALTER USER `hoop_ro`@`%` IDENTIFIED WITH mysql_native_password AS '*"));
    assert!(!changed[0].sql().contains("another"));
}

#[test]
fn a_second_way_to_log_in_is_replaced_by_the_password() {
    let mut catalog = catalog(MARIADB, &[]);
    let mut account = account(&catalog);
    account.logins.push(("unix_socket".to_owned(), Secret::new(Vec::new())));
    catalog.accounts = vec![account];
    let changed = statements(&catalog, &adopted(Access::ReadOnly), Some("password"));
    assert_eq!(
        changed[0].sql(),
        format!("ALTER USER `hoop_ro`@`%` IDENTIFIED VIA mysql_native_password USING '{NATIVE_HASH}'")
    );
}

#[test]
fn a_grant_that_leaks_is_replaced_without_a_gap_in_between() {
    let mut catalog = catalog(MARIADB, &["app_prod", "appXprod"]);
    catalog.accounts = vec![account(&catalog)];
    catalog.grants = vec![grant("app_prod", "SELECT, SHOW VIEW, INSERT")];
    assert_eq!(
        coverage(&catalog, &chosen(&["app_prod"])),
        [(
            "app_prod".to_owned(),
            "holds INSERT beyond the level; is granted as app_prod, a pattern that also opens appXprod".to_owned()
        )]
    );
    assert_eq!(
        sql(&catalog, &chosen(&["app_prod"])),
        [
            r"GRANT SELECT, SHOW VIEW ON `app\_prod`.* TO `hoop_ro`@`%`",
            "REVOKE INSERT, SELECT, SHOW VIEW ON `app_prod`.* FROM `hoop_ro`@`%`",
        ]
    );
}

#[test]
fn an_escaped_grant_is_replaced_once_partial_revokes_is_on() {
    let mut catalog = catalog(MYSQL_8, &["app_prod"]);
    catalog.settings.form = NameForm::Literal;
    catalog.accounts = vec![account(&catalog)];
    catalog.grants = vec![grant(r"app\_prod", "SELECT, SHOW VIEW")];
    assert_eq!(
        coverage(&catalog, &adopted(Access::ReadOnly))[0].1,
        r"is granted as app\_prod, which opens nothing while partial_revokes is ON; missing SELECT, SHOW VIEW"
    );
    assert_eq!(
        sql(&catalog, &spec(Access::ReadOnly)),
        [
            "GRANT SELECT, SHOW VIEW ON `app_prod`.* TO `hoop_ro`@`%`",
            r"REVOKE SELECT, SHOW VIEW ON `app\_prod`.* FROM `hoop_ro`@`%`",
        ]
    );
}

#[test]
fn rights_beyond_the_level_are_taken_back_exactly() {
    let mut catalog = catalog(MYSQL_8, &["app"]);
    catalog.accounts = vec![account(&catalog)];
    catalog.grants = vec![grant("app", "SELECT, DROP, GRANT OPTION")];
    let on = |object, held: &str| ObjectGrant {
        account: name("hoop_ro", "%"),
        database: "app".to_owned(),
        object,
        privileges: privileges(held),
    };
    catalog.objects = vec![
        on(Object::Table("t".to_owned()), "SELECT, DELETE"),
        on(Object::Column("t".to_owned(), "c".to_owned()), "UPDATE"),
        on(Object::Routine("PROCEDURE".to_owned(), "p".to_owned()), "EXECUTE"),
        on(Object::Table("u".to_owned()), "DELETE"),
    ];
    catalog.global = vec![("'hoop_ro'@'%'".to_owned(), Privilege::named("PROCESS").unwrap())];
    catalog.memberships =
        vec![member("hoop_ro", "admins", Some("%"), false), member("admin", "admins", Some("%"), true)];
    assert_eq!(
        coverage(&catalog, &spec(Access::ReadOnly))[0].1,
        "holds DELETE beyond the level on 2 tables: t, u; holds DROP, GRANT OPTION beyond the level; holds EXECUTE \
         beyond the level on procedure p; holds UPDATE beyond the level on column t.c; missing SHOW VIEW"
    );
    assert_eq!(
        login_gaps(&catalog, &spec(Access::ReadOnly)),
        ["holds PROCESS on all databases", "is a member of admins"]
    );
    assert_eq!(
        sql(&catalog, &spec(Access::ReadOnly)),
        [
            "GRANT SHOW VIEW ON `app`.* TO `hoop_ro`@`%`",
            "REVOKE DROP, GRANT OPTION ON `app`.* FROM `hoop_ro`@`%`",
            "REVOKE DELETE ON `app`.`t` FROM `hoop_ro`@`%`",
            "REVOKE UPDATE (`c`) ON `app`.`t` FROM `hoop_ro`@`%`",
            "REVOKE EXECUTE ON PROCEDURE `app`.`p` FROM `hoop_ro`@`%`",
            "REVOKE DELETE ON `app`.`u` FROM `hoop_ro`@`%`",
            "REVOKE PROCESS ON *.* FROM `hoop_ro`@`%`",
            "REVOKE `admins`@`%` FROM `hoop_ro`@`%`",
        ]
    );
}

#[test]
fn a_role_that_the_administrator_may_not_take_back_is_named_and_left() {
    for (dialect, role_host, who, role) in [
        (MYSQL_8, Some("%"), "whoever has ROLE_ADMIN", "`admins`@`%`"),
        (MARIADB, None, "whoever has the role WITH ADMIN OPTION", "`admins`"),
    ] {
        let mut catalog = catalog(dialect, &["app"]);
        catalog.accounts = vec![account(&catalog)];
        catalog.grants = vec![grant("app", "SELECT, SHOW VIEW")];
        catalog.memberships = vec![member("hoop_ro", "admins", role_host, false)];
        let spec = adopted(Access::ReadOnly);
        let uncovered = |catalog: &Catalog| compare(catalog, &spec, true).uncovered.texts()["app"].clone();
        let words = |who: &str| {
            format!("is a member of admins, which admin may not take back; {who} can: REVOKE {role} FROM `hoop_ro`@`%`")
        };
        assert_eq!(uncovered(&catalog), words(who));
        assert_eq!(login_gaps(&catalog, &spec), [""; 0]);
        assert_eq!(sql(&catalog, &spec), [""; 0]);

        catalog.memberships.push(member("boss", "admins", role_host, true));
        assert_eq!(uncovered(&catalog), words("boss@%"));
        // A namesake of the administrator and a namesake of the role are others.
        catalog.memberships.push(Membership { member: name("admin", "10.%"), ..catalog.memberships[1].clone() });
        catalog.memberships.push(member("admin", "admin", role_host, true));
        assert_eq!(login_gaps(&catalog, &spec), [""; 0]);
    }
}

#[test]
fn a_changed_level_grants_first_and_revokes_afterwards() {
    let mut catalog = catalog(MARIADB, &["app"]);
    catalog.accounts = vec![account(&catalog)];
    catalog.grants = vec![grant("app", "SELECT, SHOW VIEW")];
    assert_eq!(
        sql(&catalog, &adopted(Access::ReadWrite)),
        ["GRANT DELETE, INSERT, UPDATE ON `app`.* TO `hoop_ro`@`%`"]
    );
    catalog.grants = vec![grant("app", "SELECT, SHOW VIEW, INSERT, UPDATE, DELETE")];
    assert_eq!(compare(&catalog, &adopted(Access::ReadOnly), true).access(), Access::ReadWrite);
    assert_eq!(
        sql(&catalog, &adopted(Access::ReadOnly)),
        ["REVOKE DELETE, INSERT, UPDATE ON `app`.* FROM `hoop_ro`@`%`"]
    );
}

#[test]
fn with_chosen_databases_only_the_set_of_a_level_is_taken_back_elsewhere() {
    let mut catalog = catalog(MARIADB, &["app", "old", "theirs"]);
    catalog.accounts = vec![account(&catalog)];
    catalog.grants = vec![
        grant("app", "SELECT, SHOW VIEW"),
        grant("old", "SELECT, SHOW VIEW"),
        grant("theirs", "SELECT, EXECUTE"),
        grant("mysql", "SELECT, SHOW VIEW"),
    ];
    let comparison = compare(&catalog, &chosen(&["app"]), true);
    assert_eq!(comparison.login[0].what, "holds SELECT, SHOW VIEW on old, outside its databases");
    let uncovered = comparison.uncovered.texts();
    assert_eq!(uncovered["theirs"], "holds EXECUTE, SELECT outside its databases, granted by somebody else");
    assert_eq!(uncovered["mysql"], "holds SELECT, SHOW VIEW, granted by somebody else");
    assert_eq!(comparison.coverage.databases.len(), 1);
    assert_eq!(sql(&catalog, &chosen(&["app"])), ["REVOKE SELECT, SHOW VIEW ON `old`.* FROM `hoop_ro`@`%`"]);
}

#[test]
fn without_chosen_databases_grants_on_dropped_ones_go() {
    let mut catalog = catalog(MARIADB, &["app"]);
    catalog.accounts = vec![account(&catalog)];
    catalog.grants = vec![grant("app", "SELECT, SHOW VIEW"), grant("gone", "SELECT"), grant("x%", "SELECT")];
    assert_eq!(
        login_gaps(&catalog, &adopted(Access::ReadOnly)),
        [
            "holds SELECT on gone, a database that does not exist",
            "holds SELECT on x%, a pattern that opens no covered database"
        ]
    );
    assert_eq!(
        sql(&catalog, &adopted(Access::ReadOnly)),
        ["REVOKE SELECT ON `gone`.* FROM `hoop_ro`@`%`", "REVOKE SELECT ON `x%`.* FROM `hoop_ro`@`%`"]
    );
}

#[test]
fn what_cannot_be_covered_is_named() {
    let long = format!("a{}", "_".repeat(60));
    let mut catalog = catalog(MARIADB, &["app", &long]);
    catalog.accounts = vec![
        account(&catalog),
        Account { name: name("hoop_ro", "10.%"), ..account(&catalog) },
        Account { name: name("", "localhost"), ..account(&catalog) },
    ];
    catalog.grants = vec![
        grant("app", "SELECT, SHOW VIEW"),
        DatabaseGrant { account: name("PUBLIC", ""), stored: "app".into(), privileges: privileges("SELECT, DELETE") },
    ];
    let uncovered = compare(&catalog, &chosen(&["app", &long, "nosuch", "mysql"]), true).uncovered.texts();
    assert_eq!(uncovered["nosuch"], "does not exist");
    assert_eq!(uncovered["mysql"], "is a system database, which no level covers");
    assert!(uncovered[&long].contains("longer than 64 characters"), "{uncovered:?}");
    assert!(
        uncovered["app"].contains("PUBLIC holds DELETE; to take it back: REVOKE DELETE ON `app`.* FROM PUBLIC"),
        "{uncovered:?}"
    );
    assert!(uncovered["app"].contains("another account of this user exists for host 10.%"), "{uncovered:?}");
    assert!(uncovered["app"].contains("an account without a name exists for host localhost"), "{uncovered:?}");
    assert!(sql(&catalog, &chosen(&["app", &long])).is_empty());
    for (wrong, words) in [("nosuch", "has no database nosuch"), ("mysql", "mysql belongs to the server itself")] {
        let refused = plan(&catalog, &chosen(&["app", wrong]), None, true).unwrap_err();
        assert!(refused.fault.to_string().contains(words), "{}", refused.fault);
    }
}

#[test]
fn the_mark_decides_whose_an_account_is() {
    let mut catalog = catalog(MYSQL_8, &[]);
    assert_eq!(ownership(&catalog, &spec(Access::ReadOnly)), Ownership::Absent);
    catalog.accounts = vec![account(&catalog)];
    assert_eq!(ownership(&catalog, &spec(Access::ReadOnly)), Ownership::Ours);

    let restored = RoleSpec { mark: Mark::new("db-RESTORED", None), ..spec(Access::ReadOnly) };
    assert!(matches!(ownership(&catalog, &restored), Ownership::Foreign(words) if words.contains("made for db-ABC")));
    assert_eq!(ownership(&catalog, &RoleSpec { adopt: true, ..restored }), Ownership::Ours);

    catalog.accounts = vec![Account { attributes: None, ..account(&catalog) }];
    assert!(matches!(ownership(&catalog, &spec(Access::ReadOnly)), Ownership::Foreign(_)));
    assert!(plan(&catalog, &spec(Access::ReadOnly), None, true).is_err());
}

#[test]
fn the_administrator_is_never_taken_for_a_role() {
    let mut catalog = catalog(MARIADB, &["app"]);
    catalog.administrator = name("hoop_ro", "%");
    catalog.accounts = vec![account(&catalog)];
    assert!(matches!(ownership(&catalog, &adopted(Access::ReadOnly)), Ownership::Foreign(_)));
    assert!(plan(&catalog, &adopted(Access::ReadOnly), None, true).is_err());
}

#[test]
fn without_a_place_for_a_mark_only_adoption_makes_an_account_ours() {
    let mut catalog = catalog(MARIADB, &[]);
    catalog.accounts = vec![account(&catalog)];
    assert!(matches!(ownership(&catalog, &spec(Access::ReadOnly)), Ownership::Foreign(_)));
    assert_eq!(ownership(&catalog, &adopted(Access::ReadOnly)), Ownership::Ours);
}

#[test]
fn names_of_folding_servers_are_compared_in_lower_case() {
    let mut catalog = catalog(MYSQL_8, &["app"]);
    catalog.settings.folds_case = true;
    catalog.accounts = vec![account(&catalog)];
    assert_eq!(coverage(&catalog, &chosen(&["App"]))[0].0, "app");
}

#[test]
fn a_right_on_everything_makes_an_unmarked_account_somebody_elses() {
    for (dialect, with_a_level_is_ours) in [(MYSQL_57, true), (MARIADB, true), (MYSQL_8, false)] {
        let mut catalog = catalog(dialect, &["app"]);
        catalog.accounts.push(Account { attributes: None, ..account(&catalog) });
        let spec = adopted(Access::ReadOnly);
        assert_eq!(ownership(&catalog, &spec), Ownership::Ours);
        catalog.global.push(("'hoop_ro'@'%'".to_owned(), Privilege::named("SUPER").unwrap()));
        let Ownership::Foreign(words) = ownership(&catalog, &spec) else { panic!("{dialect:?}") };
        assert!(words.contains("is more than a role: it holds SUPER on all databases"), "{words}");
        assert!(words.ends_with("first: REVOKE SUPER ON *.* FROM `hoop_ro`@`%`"), "{words}");
        catalog.grants.push(grant("app", "SELECT, SHOW VIEW"));
        assert_eq!(ownership(&catalog, &spec) == Ownership::Ours, with_a_level_is_ours, "{dialect:?}");

        let marked = account(&Catalog { dialect: MYSQL_8, ..catalog.clone() }).attributes;
        catalog.accounts[0].attributes = marked;
        assert_eq!(ownership(&catalog, &spec), Ownership::Ours);
    }
}
