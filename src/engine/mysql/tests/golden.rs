//! The statements of each dialect and level, compared with the committed files.

use std::fmt::Write as _;

use super::super::grants::take_everything;
use super::super::level::level;
use super::super::named::Named;
use super::super::roles::{account_name, drop_account, lock};
use super::*;
use crate::access::{Auth, Grant, ObjectKind};
use crate::engine::{Terms, golden};

const DIALECTS: [(&str, Dialect); 4] = [
    ("mysql-5.7", MYSQL_57),
    ("mysql-8.0", MYSQL_8),
    ("mysql-9", Dialect { mariadb: false, version: (9, 7, 0) }),
    ("mariadb-10.11", MARIADB),
];

#[test]
fn the_statements_of_each_dialect_and_level_are_the_committed_ones() {
    let pages = DIALECTS.into_iter().flat_map(|(name, dialect)| {
        Access::ALL.map(|access| (format!("mysql/{name}/{access}.sql"), page(dialect, access)))
    });
    golden::assert_committed(pages);
}

/// All that is ever sent for a level, situation by situation.
fn page(dialect: Dialect, access: Access) -> String {
    let spec = RoleSpec { access, ..adopted(access) };
    let with = |terms: Terms| RoleSpec { terms, ..spec.clone() };
    let iam = with(Terms { auth: Auth::Iam, ..Terms::default() });
    let empty = catalog(dialect, &["app_prod", "web"]);
    let settled = settled(dialect, access);
    let mut page = String::new();
    section(&mut page, "create", made(&empty, &spec, Some("password")));
    section(&mut page, "create with tokens of IAM", made(&empty, &iam, None));
    section(&mut page, "nothing differs", made(&settled, &spec, Some("password")));
    section(&mut page, "a new database", made(&with_database(&settled, "fresh"), &spec, None));
    section(&mut page, "rights that were lost and added", made(&changed(&settled, access), &spec, None));
    section(&mut page, "an account that was changed", made(&hindered(&settled), &spec, None));
    section(
        &mut page,
        "single rights beside the level",
        made(&settled, &RoleSpec { grants: grants(), ..spec.clone() }, None),
    );
    section(
        &mut page,
        "a connection limit",
        made(&settled, &with(Terms { connection_limit: Some(5), ..Terms::default() }), None),
    );
    section(&mut page, "another password", made(&settled, &spec, Some("another")));
    if dialect.has_dual_passwords() {
        let keeping = with(Terms { keeps_old_password: true, ..Terms::default() });
        section(&mut page, "another password, the old one stays", made(&settled, &keeping, Some("another")));
        let old = of_account(&settled, |account| Account { keeps_old_password: true, ..account });
        section(&mut page, "an old password that is not wanted", made(&old, &spec, None));
    }
    section(&mut page, "from a password to tokens of IAM", made(&settled, &iam, None));
    let tokens = vec![("AWSAuthenticationPlugin".to_owned(), Secret::new(b"RDS".to_vec()))];
    let tokens = of_account(&settled, |account| Account { logins: tokens, ..account });
    section(&mut page, "from tokens of IAM to a password", made(&tokens, &spec, Some("password")));
    if dialect.has_roles() && !dialect.mariadb {
        let mut flipped = settled.clone();
        flipped.settings.form = NameForm::Literal;
        section(&mut page, "partial_revokes was switched on", made(&flipped, &spec, None));
    }
    section(&mut page, "disable", disable(&settled, &spec));
    section(&mut page, "drop", vec![lock(&account_name(&spec)), drop_account(&account_name(&spec))]);
    page
}

fn section(page: &mut String, title: &str, statements: Vec<Statement>) {
    writeln!(page, "-- {title}").unwrap();
    for statement in statements {
        writeln!(page, "{};", without_salt(statement.sql())).unwrap();
    }
    page.push('\n');
}

fn made(catalog: &Catalog, spec: &RoleSpec, password: Option<&str>) -> Vec<Statement> {
    statements(catalog, spec, password)
}

/// Salt and digest differ from run to run.
fn without_salt(sql: &str) -> String {
    match sql.split_once("$A$005$") {
        Some((before, hash)) => format!("{before}$A$005$<salt and digest>'{}", hash.split_once('\'').unwrap().1),
        None => sql.to_owned(),
    }
}

/// A server where nothing differs from the level.
fn settled(dialect: Dialect, access: Access) -> Catalog {
    let mut catalog = catalog(dialect, &["app_prod", "web"]);
    let (plugin, hash) = if dialect.version >= (9, 0, 0) && !dialect.mariadb {
        let known = super::super::password::verifier(
            Plugin::CachingSha2,
            &Secret::from("password"),
            5000,
            super::super::password::Salt([7; 20]),
        );
        ("caching_sha2_password", known.unwrap().text.expose().clone())
    } else {
        ("mysql_native_password", NATIVE_HASH.to_owned())
    };
    let logins = vec![(plugin.to_owned(), Secret::new(hash.into_bytes()))];
    catalog.accounts = vec![Account { logins, ..account(&catalog) }];
    catalog.grants = [r"app\_prod", "web"]
        .map(|stored| DatabaseGrant {
            account: name("hoop_ro", "%"),
            stored: stored.to_owned(),
            privileges: level(access),
        })
        .to_vec();
    catalog.named = Named {
        tables: [("web".to_owned(), "invoices".to_owned())].into(),
        routines: [("web".to_owned(), "PROCEDURE".to_owned(), "pay".to_owned())].into(),
    };
    catalog
}

fn with_database(catalog: &Catalog, database: &str) -> Catalog {
    let mut catalog = catalog.clone();
    catalog.databases.insert(database.to_owned());
    catalog
}

fn of_account(catalog: &Catalog, change: impl FnOnce(Account) -> Account) -> Catalog {
    let mut catalog = catalog.clone();
    let account = catalog.accounts.remove(0);
    catalog.accounts.push(change(account));
    catalog
}

fn changed(catalog: &Catalog, access: Access) -> Catalog {
    let mut catalog = catalog.clone();
    let mut held = level(access);
    held.remove(&Privilege::named("SELECT").unwrap());
    held.extend(privileges("EVENT, GRANT OPTION"));
    catalog.grants[0].privileges = held;
    catalog.grants[1].stored = "we_".to_owned();
    let on = |object, held: &str| ObjectGrant {
        account: name("hoop_ro", "%"),
        database: "web".to_owned(),
        object,
        privileges: privileges(held),
    };
    catalog.objects = vec![
        on(Object::Table("invoices".into()), "TRIGGER"),
        on(Object::Column("invoices".into(), "id".into()), "SELECT, UPDATE"),
        on(Object::Routine("PROCEDURE".into(), "pay".into()), "EXECUTE"),
    ];
    catalog.global = vec![("'hoop_ro'@'%'".to_owned(), Privilege::named("PROCESS").unwrap())];
    if catalog.dialect.has_roles() {
        let role_host = (!catalog.dialect.mariadb).then_some("%");
        catalog.memberships =
            vec![member("hoop_ro", "admins", role_host, false), member("admin", "admins", role_host, true)];
    }
    catalog
}

fn hindered(catalog: &Catalog) -> Catalog {
    of_account(catalog, |account| Account {
        tls: Tls::Optional,
        locked: true,
        limits: Limits { connections: 2, hourly: 100, password_days: 30 },
        ..account
    })
}

fn grants() -> BTreeSet<Grant> {
    let single = |kind, objects: Option<&str>, privileges: &[&str]| Grant {
        database: "web".parse().unwrap(),
        schema: None,
        kind,
        objects: objects.map(|name| [name.parse().unwrap()].into()),
        privileges: privileges.iter().map(|name| name.parse().unwrap()).collect(),
    };
    [
        single(ObjectKind::Database, None, &["LOCK TABLES"]),
        single(ObjectKind::Table, Some("invoices"), &["INSERT", "TRIGGER"]),
        single(ObjectKind::Function, Some("pay"), &["EXECUTE"]),
    ]
    .into()
}

fn disable(catalog: &Catalog, spec: &RoleSpec) -> Vec<Statement> {
    let name = account_name(spec);
    let comparison = compare(catalog, spec, true);
    std::iter::once(lock(&name)).chain(take_everything(&comparison, catalog, &name)).collect()
}
