//! From any starting set of rights, one apply reaches the wanted set and the second one sends nothing.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rdsaccess::access::{Access, Grant, ObjectKind};
use tokio::runtime::Runtime;

use super::grants::grant;
use super::*;

/// Cases of one run: each takes a few hundred milliseconds.
const CASES: u32 = 20;
/// Environment variable: the number that the cases follow from, and another number of cases.
const SEED: &str = "RDSACCESS_TEST_SEED";
const MORE: &str = "RDSACCESS_TEST_CASES";

const SETUP: &str = "
    CREATE SCHEMA sales; CREATE ROLE keeper; CREATE ROLE middle; GRANT keeper TO admin1;
    GRANT USAGE, CREATE ON SCHEMA sales TO keeper; GRANT USAGE ON SCHEMA sales TO middle;
    CREATE TABLE sales.a (id int, note text); CREATE TABLE sales.b (id int, note text);
    CREATE VIEW sales.v AS SELECT 1 AS note; CREATE SEQUENCE sales.s;
    CREATE FUNCTION sales.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
    REVOKE EXECUTE ON FUNCTION sales.f() FROM PUBLIC;
    ALTER TABLE sales.b OWNER TO keeper;
    GRANT ALL ON sales.a, sales.v, sales.s TO middle WITH GRANT OPTION";

/// Everything that rights can be on here: what stands after ON, its kind for `grants`, its name, its owner.
const OBJECTS: [(&str, ObjectKind, &str, &str); 7] = [
    ("TABLE sales.a", ObjectKind::Table, "a", "admin1"),
    ("TABLE sales.b", ObjectKind::Table, "b", "keeper"),
    ("TABLE sales.v", ObjectKind::Table, "v", "admin1"),
    ("SEQUENCE sales.s", ObjectKind::Sequence, "s", "admin1"),
    ("FUNCTION sales.f()", ObjectKind::Function, "f", "admin1"),
    ("SCHEMA sales", ObjectKind::Schema, "", "admin1"),
    ("DATABASE app", ObjectKind::Database, "", "admin1"),
];

fn privileges(kind: ObjectKind) -> &'static [&'static str] {
    match kind {
        ObjectKind::Database => &["CONNECT", "CREATE", "TEMPORARY"],
        ObjectKind::Schema => &["USAGE", "CREATE"],
        ObjectKind::Table => &["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"],
        ObjectKind::Sequence => &["SELECT", "USAGE", "UPDATE"],
        ObjectKind::Function => &["EXECUTE"],
    }
}

/// What the level has on a kind of object: written out once more, so that it can disagree.
fn of_level(level: Access, kind: ObjectKind) -> &'static [&'static str] {
    match (kind, level) {
        (ObjectKind::Database, _) => &["CONNECT"],
        (ObjectKind::Schema, _) => &["USAGE"],
        (ObjectKind::Table, Access::ReadOnly) => &["SELECT"],
        (ObjectKind::Table, _) => &["SELECT", "INSERT", "UPDATE", "DELETE"],
        (ObjectKind::Sequence, Access::ReadOnly) => &["SELECT"],
        (ObjectKind::Sequence, _) => &["SELECT", "USAGE", "UPDATE"],
        (ObjectKind::Function, _) => &[],
    }
}

/// A statement by hand; it may fail, as a hand may. `$who` is the login or its group.
fn by_hand() -> impl Strategy<Value = String> {
    let who = || select(vec!["hoop", "$group"]);
    let object = || select(OBJECTS.to_vec());
    let granted = (who(), object(), any::<prop::sample::Index>(), any::<bool>(), any::<bool>()).prop_map(
        |(who, (on, kind, _, owner), nth, option, detour)| {
            let privilege = nth.get(privileges(kind));
            let option = if option { " WITH GRANT OPTION" } else { "" };
            let grantor = if detour && owner == "admin1" { "middle" } else { owner };
            format!("SET ROLE {grantor}; GRANT {privilege} ON {on} TO {who}{option}")
        },
    );
    let passed_on = (object(), any::<prop::sample::Index>(), any::<bool>(), any::<bool>()).prop_map(
        |((on, kind, ..), nth, up, option)| {
            let (from, to) = if up { ("hoop", "$group") } else { ("$group", "hoop") };
            let privilege = nth.get(privileges(kind));
            let option = if option { " WITH GRANT OPTION" } else { "" };
            format!(
                "GRANT {privilege} ON {on} TO {from} WITH GRANT OPTION; SET ROLE {from}; \
                 GRANT {privilege} ON {on} TO {to}{option}"
            )
        },
    );
    let revoked = (who(), object()).prop_map(|(who, (on, ..))| format!("REVOKE ALL ON {on} FROM {who} CASCADE"));
    let columns = (who(), select(vec!["a", "b"]), select(vec!["SELECT", "UPDATE", "REFERENCES"]))
        .prop_map(|(who, table, privilege)| format!("GRANT {privilege} (note) ON sales.{table} TO {who}"));
    let defaults = (
        who(),
        select(vec!["admin1", "keeper"]),
        select(vec!["", "IN SCHEMA sales"]),
        select(vec!["SELECT ON TABLES", "DELETE ON TABLES", "USAGE ON SEQUENCES", "EXECUTE ON FUNCTIONS"]),
        any::<bool>(),
    )
        .prop_map(|(who, creator, place, what, option)| {
            let option = if option { " WITH GRANT OPTION" } else { "" };
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {creator} {place} GRANT {what} TO {who}{option}")
        });
    let role = select(vec![
        "ALTER ROLE hoop NOLOGIN",
        "ALTER ROLE hoop NOINHERIT CREATEDB CONNECTION LIMIT 3 VALID UNTIL '2031-01-01'",
        "SET ROLE admin1; GRANT keeper TO hoop WITH ADMIN OPTION",
        "SET ROLE admin1; GRANT keeper TO $group",
        "REVOKE $group FROM hoop",
        "ALTER ROLE hoop SET role = 'keeper'",
        "COMMENT ON ROLE $group IS NULL; COMMENT ON ROLE hoop IS 'mine'",
        "SET ROLE admin1; GRANT INSERT, SELECT ON postgres.public.elsewhere TO hoop",
        "GRANT CREATE ON DATABASE postgres TO hoop",
        "DROP OWNED BY $group CASCADE",
        "CREATE TABLE sales.later (id int)",
    ])
    .prop_map(str::to_owned);
    prop_oneof![6 => granted, 2 => passed_on, 1 => revoked, 2 => columns, 2 => defaults, 2 => role]
}

fn wishes() -> impl Strategy<Value = Vec<Grant>> {
    let on_object = |(_, kind, name, _): (&str, ObjectKind, &'static str, &str)| {
        let all = privileges(kind);
        subsequence(all.to_vec(), 1..=all.len()).prop_map(move |privileges| {
            let schema = if kind == ObjectKind::Database { "" } else { "sales" };
            grant(kind, schema, if name.is_empty() { &[] } else { std::slice::from_ref(&name) }, &privileges)
        })
    };
    prop::collection::vec(select(OBJECTS.to_vec()).prop_flat_map(on_object), 0..4)
}

#[derive(Debug, Clone)]
struct Case {
    by_hand: Vec<String>,
    level: Access,
    wishes: Vec<Grant>,
}

fn cases() -> impl Strategy<Value = Case> {
    let level = select(vec![Access::ReadOnly, Access::ReadWrite]);
    (prop::collection::vec(by_hand(), 1..9), level, wishes()).prop_map(|(by_hand, level, wishes)| Case {
        by_hand,
        level,
        wishes,
    })
}

fn spec_of(case: &Case) -> RoleSpec {
    let mut spec = spec_in("hoop", case.level, &["app"]);
    spec.grants = case.wishes.iter().cloned().collect();
    // Somebody may have taken our note away.
    spec.adopt = true;
    spec
}

async fn disturb(superuser: &Client, statements: &[String]) {
    let sql = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'";
    for group in column(superuser, sql).await {
        for sql in statements {
            let _may_fail_as_a_hand_may = superuser.batch_execute(&sql.replace("$group", &group)).await;
            superuser.batch_execute("RESET ROLE").await.unwrap();
        }
        let mark = format!("COMMENT ON ROLE {group} IS '{}'", Mark::new(RESOURCE_ID, None).to_json());
        superuser.batch_execute(&mark).await.unwrap();
    }
}

/// What the login may do according to the server, against what the level and the grants say.
async fn assert_exact(superuser: &Client, case: &Case) {
    for (on, kind, name, _) in OBJECTS {
        let named = |grant: &&Grant| {
            let names = |objects: &BTreeSet<_>| objects.contains(&name.parse().unwrap());
            grant.kind == kind && grant.objects.as_ref().is_none_or(names)
        };
        let asked: BTreeSet<&str> =
            case.wishes.iter().filter(named).flat_map(|g| &g.privileges).map(|p| p.as_str()).collect();
        let what = on.split_once(' ').unwrap().1;
        let held = |privilege: &str| {
            let call = |word: &str| format!("has_{kind}_privilege('hoop', '{what}', '{word}')");
            format!("{} || ' ' || {}", call(privilege), call(&format!("{privilege} WITH GRANT OPTION")))
        };
        let calls: Vec<String> = privileges(kind).iter().map(|privilege| held(privilege)).collect();
        let answers = column(superuser, &format!("SELECT unnest(ARRAY[{}])", calls.join(", "))).await;
        for (privilege, answer) in privileges(kind).iter().zip(answers) {
            // Everybody may connect, and make temporary tables.
            let public = kind == ObjectKind::Database && ["CONNECT", "TEMPORARY"].contains(privilege);
            let expected = public || of_level(case.level, kind).contains(privilege) || asked.contains(privilege);
            assert_eq!(answer, format!("{expected} false"), "{privilege} on {on}, and passed on: {case:?}");
        }
    }
    let memberships = "SELECT rolname::text FROM pg_auth_members JOIN pg_roles AS r ON r.oid = roleid
        WHERE member = 'hoop'::regrole";
    let memberships = column(superuser, memberships).await;
    assert!(memberships.len() == 1 && memberships[0].starts_with("rdsaccess_"), "{memberships:?}: {case:?}");
    let groups = column(superuser, "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'rdsaccess%'").await;
    assert_eq!(groups, memberships, "a group that nobody needs stays: {case:?}");
    let later = "SELECT unnest(defaclacl)::text FROM pg_default_acl";
    for acl in column(superuser, later).await {
        let (grantee, rights) = acl.split_once('=').unwrap();
        let rights = rights.split_once('/').unwrap().0;
        let level = if case.level == Access::ReadOnly { "r" } else { "arwdU" };
        let ours = grantee == "hoop" || grantee.starts_with("rdsaccess");
        assert!(!ours || rights.chars().all(|right| level.contains(right)), "{acl}: {case:?}");
    }
}

/// The batches in a part of the server's log that change something, whole: it puts a tab before every further line.
fn changes(log: &str) -> Vec<String> {
    let mut sent: Vec<String> = Vec::new();
    let mut in_batch = false;
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t').filter(|_| in_batch) {
            let batch = sent.last_mut().unwrap();
            batch.push('\n');
            batch.push_str(more);
        } else {
            let sql = line.split_once("statement: ").map(|(_, sql)| sql);
            in_batch = sql.is_some();
            sent.extend(sql.map(str::to_owned));
        }
    }
    sent.retain(|sql| !sql.starts_with("SELECT "));
    sent
}

#[test]
fn a_batch_is_shown_whole() {
    let log = "x|LOG:  statement: BEGIN;\n\tGRANT SELECT ON a TO b;\n\tCOMMIT\nx|ERROR:  no\n\twhy\nx|LOG:  statement: SELECT 1\n";
    assert_eq!(changes(log), ["BEGIN;\nGRANT SELECT ON a TO b;\nCOMMIT"]);
}

/// Who holds what from whom, for a failure to show.
async fn access_lists(superuser: &Client) -> Vec<String> {
    let sql = "SELECT relname || ' ' || relacl::text FROM pg_class WHERE relnamespace = 'sales'::regnamespace
        UNION ALL SELECT relname || '.' || attname || ' ' || attacl::text
          FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'sales'::regnamespace
        UNION ALL SELECT proname || ' ' || proacl::text FROM pg_proc WHERE pronamespace = 'sales'::regnamespace
        UNION ALL SELECT nspname || ' ' || nspacl::text FROM pg_namespace WHERE nspname = 'sales'
        UNION ALL SELECT datname || ' ' || datacl::text FROM pg_database WHERE datname = 'app'
        UNION ALL SELECT roleid::regrole || ' has ' || member::regrole FROM pg_auth_members";
    column(superuser, sql).await
}

async fn check(server: &PostgresServer, superuser: &Client, case: &Case) {
    disturb(superuser, &case.by_hand).await;
    let spec = spec_of(case);
    let (start, before) = (access_lists(superuser).await, server.log().len());
    let made = server.engine().ensure(&spec, None).await.unwrap_or_else(|e| panic!("{e}: {case:?}"));
    let log = server.log().split_off(before);
    let sent = changes(&log);
    let end = access_lists(superuser).await;
    let complete = made.login.is_empty() && made.coverage.is_complete();
    assert!(complete, "{made:?}\nfrom {start:#?}\nby {sent:#?}\nto {end:#?}: {case:?}");
    assert_exact(superuser, case).await;

    let before = server.log().len();
    let again = server.engine().ensure(&spec, None).await.unwrap();
    assert!(again.login.is_empty() && again.coverage.is_complete(), "{again:?}: {case:?}");
    let log = server.log().split_off(before);
    let changing = changes(&log);
    assert!(changing.is_empty(), "the second apply sent {changing:?}: {case:?}");
}

/// The value of an environment variable that chooses the cases.
fn number_of(variable: &str) -> Option<u64> {
    std::env::var_os(variable).map(|value| value.to_str().and_then(|text| text.parse().ok()).expect(variable))
}

#[test]
fn one_apply_reaches_the_wanted_set_from_anywhere_and_the_second_sends_nothing() {
    let runtime = Runtime::new().unwrap();
    let (server, superuser) = runtime.block_on(async {
        let server = PostgresServer::start().await;
        server.master("app").await.batch_execute(SETUP).await.unwrap();
        let superuser = server.superuser("app").await;
        make(&*server.engine(), &spec_in("hoop", Access::ReadOnly, &["app"])).await;
        (server, superuser)
    });
    let seed = number_of(SEED).unwrap_or_else(|| RandomState::new().hash_one(SEED));
    let number = number_of(MORE).map_or(CASES, |number| number.try_into().unwrap());
    let config = Config { cases: number, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let run = |case: Case| {
        runtime.block_on(check(&server, &superuser, &case));
        Ok(())
    };
    // A case begins where the one before has ended, so that only the whole run can be repeated.
    println!("to run the same cases again: {SEED}={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let chance = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(config, chance).run(&cases(), run).unwrap();
    // Without a runtime around it the server could not close its sessions.
    let _entered = runtime.enter();
    drop((superuser, server));
}
