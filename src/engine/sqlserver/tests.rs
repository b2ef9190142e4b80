//! Comparison and statements on hand-made catalogs: every kind of drift, and the whole text of each level.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalog::{
    Catalog, Content, Database, Names, Place, Principal, Reach, Right, Securable, ServerRight, State, User,
};
use super::check::check_role_name;
use super::connect::Pool;
use super::owned::drop_user;
use super::plan::{Batch, plan};
use super::quote::tests::{Token, lex};
use super::roles::{compare, ownership};
use crate::access::{Access, Endpoint, Grant, Mark, ObjectKind, RoleName, Secret, TlsMode, Trust};
use crate::engine::{Connections, Fault, Key, Login, Ownership, RoleSpec, Scope, Token as IamToken, Tokens, golden};

const SID: &[u8] = &[7; 16];
const FOLDING: Names = Names { folds: true };

fn catalog(version: u32, databases: &[(&str, Content)]) -> Catalog {
    let database = |(name, content): &(&str, Content)| Database {
        name: (*name).to_owned(),
        names: FOLDING,
        owner: vec![1],
        reach: Reach::Open(Arc::new(content.clone())),
    };
    let system = Database { name: "master".to_owned(), names: FOLDING, owner: vec![1], reach: Reach::System };
    Catalog {
        version,
        names: FOLDING,
        me: "admin".to_owned(),
        sees_logins: true,
        now: 1_800_000_000,
        local_time: false,
        principals: vec![login("admin", 260, &[9; 16])],
        members: Vec::new(),
        rights: Vec::new(),
        databases: databases.iter().map(database).chain([system]).collect(),
    }
}

fn login(name: &str, id: i64, sid: &[u8]) -> Principal {
    Principal {
        id,
        name: name.to_owned(),
        sid: sid.to_vec(),
        kind: "S".to_owned(),
        disabled: false,
        default_database: "master".to_owned(),
        checks_policy: true,
        checks_expiration: false,
        locked: false,
        must_change: false,
        expired: false,
        password_age: Some(60),
    }
}

fn user(name: &str, id: i64, sid: &[u8]) -> User {
    User { id, name: name.to_owned(), sid: sid.to_vec(), kind: "S".to_owned(), authentication: 1, owner: -1 }
}

fn fixed_role(name: &str, id: i64) -> User {
    User { id, name: name.to_owned(), sid: vec![], kind: "R".to_owned(), authentication: 0, owner: 1 }
}

/// A database as it is made.
fn empty() -> Content {
    let roles = ["db_owner", "db_ddladmin", "db_datareader", "db_datawriter"];
    let mut users: Vec<User> = roles.iter().zip(16384..).map(|(name, id)| fixed_role(name, id)).collect();
    users.push(user("dbo", 1, &[1]));
    Content { users, members: vec![], rights: vec![], schemas: vec![("dbo".to_owned(), 1)] }
}

/// A database that is covered at `read_only`.
fn covered() -> Content {
    let mut content = empty();
    content.users.push(user("hoop_ro", 7, SID));
    content.members.push((16386, 7));
    content.rights.push(right(7, Securable::Database, "CONNECT", State::Granted));
    content
}

fn right(grantee: i64, on: Securable, name: &str, state: State) -> Right {
    Right { grantee, on, name: name.to_owned(), state, grantor: 1, owned: false }
}

fn with_login(databases: &[(&str, Content)]) -> Catalog {
    let mut catalog = catalog(16, databases);
    catalog.principals.push(login("hoop_ro", 270, SID));
    catalog.rights.push(server_right("CONNECT SQL", State::Granted));
    catalog
}

fn server_right(name: &str, state: State) -> ServerRight {
    ServerRight { grantee: 270, on: Place::Server, name: name.to_owned(), state, grantor: 260 }
}

fn spec(access: Access) -> RoleSpec {
    RoleSpec {
        name: format!("hoop_{}", access.suffix()).parse().unwrap(),
        host: "%".parse().unwrap(),
        access,
        scope: Scope::default(),
        grants: BTreeSet::new(),
        terms: Default::default(),
        mark: Mark::new("db-ABC", None),
        adopt: true,
        known: false,
    }
}

fn batches(catalog: &Catalog, spec: &RoleSpec, password: Option<&str>) -> Vec<Batch> {
    plan(catalog, spec, password.map(Secret::from).as_ref()).unwrap()
}

fn text(batches: &[Batch]) -> String {
    let one =
        |batch: &Batch| format!("-- {}, in {}\n{}\n", batch.statement.step(), batch.database, batch.statement.sql());
    batches.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn sql(catalog: &Catalog, spec: &RoleSpec) -> Vec<String> {
    batches(catalog, spec, None).iter().map(|batch| batch.statement.sql().to_owned()).collect()
}

fn coverage(catalog: &Catalog, spec: &RoleSpec) -> Vec<(String, String)> {
    compare(catalog, spec).coverage.texts().into_iter().collect()
}

fn transaction(statements: &[&str]) -> String {
    format!("BEGIN TRANSACTION;\n{};\nCOMMIT TRANSACTION;", statements.join(";\n"))
}

/// Compares with the committed file; `RDSACCESS_UPDATE=1` writes it.
fn golden(name: &str, text: &str) {
    golden::assert_committed([(format!("sqlserver/{name}"), text.to_owned())]);
}

fn grants() -> BTreeSet<Grant> {
    let grant = |kind, schema: Option<&str>, objects: Option<&[&str]>, words: &[&str]| Grant {
        database: "web".parse().unwrap(),
        schema: schema.map(|name| name.parse().unwrap()),
        kind,
        objects: objects.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()),
        privileges: words.iter().map(|word| word.parse().unwrap()).collect(),
    };
    BTreeSet::from([
        grant(ObjectKind::Database, None, None, &["SHOWPLAN", "VIEW DATABASE STATE"]),
        grant(ObjectKind::Schema, Some("sales"), None, &["EXECUTE"]),
        grant(ObjectKind::Table, Some("sales"), Some(&["a]b", "orders"]), &["REFERENCES"]),
        grant(ObjectKind::Sequence, Some("sales"), Some(&["ids"]), &["UPDATE"]),
        grant(ObjectKind::Function, None, None, &["EXECUTE"]),
    ])
}

#[test]
fn the_text_of_each_level_is_the_committed_one() {
    for access in Access::ALL {
        let mut spec = spec(access);
        spec.grants = grants();
        let of = |version| {
            text(&batches(&catalog(version, &[("app", empty()), ("web", empty())]), &spec, Some("Geheim-1234")))
        };
        golden(&format!("create_{}.sql", access.suffix()), &of(16));
        assert_eq!(of(13), of(16), "2016 and 2022 take the same statements");
    }
}

#[test]
fn the_text_of_a_repair_and_of_a_removal_is_the_committed_one() {
    let mut app = covered();
    app.users.push(User { owner: 7, ..fixed_role("team]", 20) });
    app.schemas.push(("mine]".to_owned(), 7));
    app.members = vec![(16384, 7), (20, 7)];
    app.rights = vec![
        right(7, Securable::Database, "CONNECT", State::Denied),
        right(7, Securable::Database, "EXECUTE", State::Granted),
        right(7, Securable::Schema("dbo".into()), "SELECT", State::Denied),
        right(7, Securable::Object("dbo".into(), "t".into()), "INSERT", State::Grantable),
        right(7, Securable::Object("dbo".into(), "t".into()), "SELECT", State::Grantable),
        right(7, Securable::Column("dbo".into(), "t".into(), "c]".into()), "UPDATE", State::Granted),
    ];
    // Elsewhere it is at its level, so it is ours.
    let mut catalog = with_login(&[("app", app.clone()), ("web", covered())]);
    catalog.members.push((270, "securityadmin".to_owned()));
    catalog.rights =
        vec![server_right("CONNECT SQL", State::Denied), server_right("VIEW SERVER STATE", State::Granted)];
    let login = catalog.principals.last_mut().unwrap();
    (login.disabled, login.locked, login.default_database) = (true, true, "app".to_owned());
    let repair = text(&batches(&catalog, &spec(Access::ReadOnly), Some("Geheim-1234")));
    golden("repair.sql", &repair);
    app.users.push(fixed_role("public", 0));
    app.users.push(user("other", 8, &[8; 16]));
    app.users.push(user("third", 9, &[10; 16]));
    let on = |name: &str| Securable::Object("mine]".into(), name.into());
    app.rights.extend([
        right(8, Securable::Column("mine]".into(), "t".into(), "c".into()), "SELECT", State::Excepted),
        Right { grantor: 8, ..right(9, on("t"), "INSERT", State::Granted) },
        Right { grantor: 7, ..right(8, on("t"), "INSERT", State::Grantable) },
        right(8, on("t"), "SELECT", State::Granted),
        right(0, Securable::Schema("mine]".into()), "DELETE", State::Denied),
        right(9, Securable::InSchema("TYPE", "mine]".into(), "money".into()), "REFERENCES", State::Granted),
        right(9, Securable::Principal("ROLE", "team]".into()), "ALTER", State::Granted),
        right(9, Securable::Object("dbo".into(), "stays".into()), "SELECT", State::Granted),
        Right { owned: true, ..right(9, on("owned"), "SELECT", State::Granted) },
    ]);
    let user = app.users.iter().find(|user| user.id == 7).unwrap();
    golden("drop_user.sql", &format!("{};\n", drop_user(&app, user).join(";\n")));
}

#[test]
fn what_is_as_it_should_be_needs_no_statement() {
    let catalog = with_login(&[("app", covered())]);
    assert_eq!(batches(&catalog, &spec(Access::ReadOnly), None), []);
    let comparison = compare(&catalog, &spec(Access::ReadOnly));
    assert_eq!(comparison.coverage.texts().into_iter().collect::<Vec<_>>(), [("app".into(), "complete".into())]);
    assert_eq!((comparison.login.len(), comparison.access), (0, Some(Access::ReadOnly)));
}

#[test]
fn a_missing_role_is_missing_everywhere_but_where_nothing_can_be_done() {
    let mut taken = empty();
    taken.users.push(fixed_role("HOOP_RO", 30));
    let catalog = catalog(16, &[("app", empty()), ("taken", taken)]);
    assert_eq!(coverage(&catalog, &spec(Access::ReadOnly)), [("app".to_owned(), "role is missing".to_owned())]);
    let left = compare(&catalog, &spec(Access::ReadOnly)).uncovered.texts();
    assert_eq!(left["taken"], "a role is named HOOP_RO there");
}

#[test]
fn rights_within_the_level_are_left_alone() {
    let mut app = covered();
    app.rights.push(right(7, Securable::Schema("dbo".into()), "SELECT", State::Granted));
    assert_eq!(batches(&with_login(&[("app", app.clone())]), &spec(Access::ReadOnly), None), []);
    app.rights.push(right(7, Securable::Schema("dbo".into()), "INSERT", State::Granted));
    assert_eq!(
        sql(&with_login(&[("app", app)]), &spec(Access::ReadOnly)),
        [transaction(&["REVOKE INSERT ON SCHEMA::[dbo] FROM [hoop_ro] CASCADE"])]
    );
}

#[test]
fn a_right_on_something_unknown_is_named_and_left() {
    let mut app = covered();
    app.rights.push(right(7, Securable::Other("SYMMETRIC_KEYS".into()), "CONTROL", State::Granted));
    let catalog = with_login(&[("app", app)]);
    assert_eq!(batches(&catalog, &spec(Access::ReadOnly), None), []);
    let left = compare(&catalog, &spec(Access::ReadOnly)).uncovered.texts();
    assert_eq!(left["app"], "holds CONTROL beyond the level on securable symmetric keys");
}

#[test]
fn an_orphan_is_joined_and_keeps_nothing_it_should_not_have() {
    let mut app = covered();
    app.users.last_mut().unwrap().sid = vec![8; 16];
    app.members.push((16384, 7));
    let joined = sql(&with_login(&[("app", app.clone())]), &spec(Access::ReadOnly));
    let expected =
        transaction(&["ALTER USER [hoop_ro] WITH LOGIN = [hoop_ro]", "ALTER ROLE [db_owner] DROP MEMBER [hoop_ro]"]);
    assert_eq!(joined, [expected]);
    app.users.last_mut().unwrap().sid = vec![9; 16];
    let left = compare(&with_login(&[("app", app)]), &spec(Access::ReadOnly)).uncovered.texts();
    assert_eq!(left["app"], "the user hoop_ro there belongs to the login admin");
}

#[test]
fn a_user_outside_the_chosen_databases_goes() {
    let mut narrow = spec(Access::ReadOnly);
    narrow.scope.databases = Some(BTreeSet::from(["app".parse().unwrap()]));
    let catalog = with_login(&[("app", covered()), ("old", covered())]);
    assert_eq!(sql(&catalog, &narrow), [transaction(&["DROP USER [hoop_ro]"])]);
    let mut owned = empty();
    owned.users.last_mut().unwrap().sid = SID.to_vec();
    let comparison = compare(&with_login(&[("app", covered()), ("owned", owned)]), &narrow);
    assert!(comparison.databases.is_empty() && comparison.uncovered.texts()["owned"].contains("owns the database"));
}

#[test]
fn a_lack_of_sight_is_said() {
    let mut catalog = with_login(&[("app", covered())]);
    catalog.sees_logins = false;
    let left = compare(&catalog, &spec(Access::ReadOnly)).uncovered.texts();
    assert!(left["app"].contains("VIEW ANY DEFINITION"), "{left:?}");
}

#[test]
fn a_case_sensitive_server_keeps_names_apart() {
    let mut catalog = with_login(&[("app", covered())]);
    catalog.names = Names { folds: false };
    let shouting = RoleSpec { name: "HOOP_RO".parse().unwrap(), ..spec(Access::ReadOnly) };
    assert_eq!(ownership(&catalog, &shouting), Ownership::Absent);
    catalog.names = FOLDING;
    assert_eq!(ownership(&catalog, &shouting), Ownership::Ours);
}

#[test]
fn names_that_cannot_be_logins_are_refused() {
    let check = |name: &str| check_role_name(&name.parse::<RoleName>().unwrap());
    for name in ["hoop_ro", "x]; DROP LOGIN sa; --", "it's \"q\"", "\u{65E5}\u{672C}", &"x".repeat(128)] {
        check(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for (name, word) in [
        ("AD\\user", "backslash"),
        ("sa", "reserved"),
        ("PUBLIC", "reserved"),
        ("Information_Schema", "reserved"),
        ("##MS_Agent##", "reserved"),
        ("db_owner", "reserved"),
        ("rdsadmin", "reserved"),
        ("trailing ", "spaces"),
        ("line\nbreak", "control"),
        (&"\u{1F512}".repeat(65), "128 UTF-16 units"),
    ] {
        let error = check(name).unwrap_err();
        assert!(error.0.contains(word), "{name:?}: {error}");
    }
}

/// Every statement of every plan holds names and texts as single tokens, however they read.
#[test]
fn hostile_names_add_no_token_to_any_statement() {
    let hostile = "x]; DROP LOGIN sa; --'\"/*";
    let shape = |sql: &str| -> Vec<String> {
        let tokens = lex(sql).unwrap_or_else(|| panic!("an open end: {sql}"));
        let kind = |token: &Token| match token {
            Token::Quoted(_) => "name".to_owned(),
            Token::Text(_) => "text".to_owned(),
            other => format!("{other:?}"),
        };
        tokens.iter().map(kind).collect()
    };
    let plans = [("plain", "app", "t"), (hostile, hostile, hostile)].map(|(role, database, object)| {
        let mut spec = RoleSpec { name: role.parse().unwrap(), ..spec(Access::Ddl) };
        spec.grants = BTreeSet::from([Grant {
            database: database.parse().unwrap(),
            schema: Some(object.parse().unwrap()),
            kind: ObjectKind::Table,
            objects: Some(BTreeSet::from([object.parse().unwrap()])),
            privileges: BTreeSet::from(["INSERT".parse().unwrap()]),
        }]);
        let made = batches(&catalog(16, &[(database, empty())]), &spec, Some("pass'word-A1"));
        made.iter().map(|batch| shape(batch.statement.sql())).collect::<Vec<_>>()
    });
    assert_eq!(plans[0], plans[1]);
}

#[derive(Debug)]
struct NoTokens;

impl Tokens for NoTokens {
    fn token<'a>(
        &'a self,
        _refused: Option<&'a IamToken>,
    ) -> futures_util::future::BoxFuture<'a, Result<IamToken, Fault>> {
        Box::pin(async { Err(Fault::Unsupported("never asked".to_owned())) })
    }
}

#[test]
fn tokens_are_refused_before_anything_is_sent() {
    let login = Login {
        endpoint: Endpoint { host: "localhost".to_owned(), port: 1 },
        username: "admin".parse().unwrap(),
        key: Key::Tokens(Arc::new(NoTokens)),
        trust: Trust { mode: TlsMode::Disable, roots: Arc::default() },
        target: "arn:aws:rds:eu-west-1:123456789012:db:payments".to_owned(),
        connections: Connections::at_most(1),
    };
    assert!(matches!(Pool::new(login).map(|_| ()), Err(Fault::Unsupported(text)) if text.contains("no IAM")));
}
