//! From any starting set of grants one `ensure` reaches the wanted set, and the second changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use rdsaccess::access::{Access, ObjectKind};
use rdsaccess::engine::{Ownership, Server};

use super::*;

const CASES: u32 = 60;
const USER: &str = "hoop_p";
const DATABASES: [&str; 3] = ["app_prod", "appXprod", "we`ird"];

/// What is granted by hand before: the privileges, and on what.
#[derive(Debug, Clone)]
struct Start {
    privileges: Vec<&'static str>,
    on: String,
    option: bool,
}

/// What the role should be.
#[derive(Debug, Clone)]
struct Goal {
    access: Access,
    databases: Option<Vec<&'static str>>,
    /// Which of three entries of `grants` are there
    grants: [bool; 3],
    /// Whether names are literal (`partial_revokes`, which only MySQL has) and not patterns
    literal: bool,
}

fn start() -> impl Strategy<Value = Start> {
    let on_database = (
        select(vec!["`app_prod`.*", r"`app\_prod`.*", "`app%`.*", "`appXprod`.*", "`we``ird`.*", "`gone`.*"]),
        some_of(&["SELECT", "SHOW VIEW", "INSERT", "DROP", "EXECUTE", "TRIGGER", "CREATE ROUTINE", "LOCK TABLES"]),
    );
    let on_table = (
        select(vec!["`app_prod`.`t`", "`appXprod`.`t`", "`we``ird`.`t`"]),
        some_of(&["SELECT", "INSERT", "DELETE", "INDEX", "SELECT (id)", "UPDATE (id)"]),
    );
    let on_routine = (
        select(vec!["PROCEDURE `app_prod`.`p`", "FUNCTION `app_prod`.`p`", "PROCEDURE `appXprod`.`p`"]),
        some_of(&["EXECUTE", "ALTER ROUTINE"]),
    );
    let on_everything = (select(vec!["*.*"]), some_of(&["SELECT", "PROCESS", "RELOAD", "CREATE USER"]));
    let on = prop_oneof![3 => on_database, 2 => on_table, 1 => on_routine, 1 => on_everything];
    (on, prop::bool::weighted(0.1)).prop_map(|((on, privileges), option)| Start {
        privileges,
        on: on.to_owned(),
        option,
    })
}

fn some_of(privileges: &[&'static str]) -> impl Strategy<Value = Vec<&'static str>> + use<> {
    subsequence(privileges.to_vec(), 1..=privileges.len())
}

fn goal() -> impl Strategy<Value = Goal> {
    let databases = prop::option::of(subsequence(DATABASES.to_vec(), 1..=2));
    (select(Access::ALL.to_vec()), databases, any::<[bool; 3]>(), any::<bool>())
        .prop_map(|(access, databases, grants, literal)| Goal { literal, access, databases, grants })
}

impl Start {
    fn sql(&self) -> String {
        let option = if self.option { " WITH GRANT OPTION" } else { "" };
        format!("GRANT {} ON {} TO {USER}@'%'{option}", self.privileges.join(", "), self.on)
    }
}

impl Goal {
    fn covers(&self, database: &str) -> bool {
        self.databases.as_ref().is_none_or(|names| names.contains(&database))
    }

    fn spec(&self) -> RoleSpec {
        let all = [
            single("app_prod", ObjectKind::Table, &["t"], &["INSERT", "INDEX"]),
            single("app_prod", ObjectKind::Database, &[], &["LOCK TABLES", "CREATE ROUTINE"]),
            single("app_prod", ObjectKind::Function, &["P"], &["EXECUTE"]),
        ];
        let chosen = all.into_iter().zip(self.grants).filter(|(_, on)| *on && self.covers("app_prod"));
        let spec = with(&chosen.map(|(grant, _)| grant).collect::<Vec<_>>(), role(USER, self.access));
        match &self.databases {
            Some(names) => on(names, spec),
            None => spec,
        }
    }

    fn level(&self) -> BTreeSet<String> {
        let mut names = vec!["SELECT", "SHOW VIEW"];
        if self.access != Access::ReadOnly {
            names.extend(["INSERT", "UPDATE", "DELETE"]);
        }
        if self.access == Access::Ddl {
            names.extend(["CREATE", "ALTER", "DROP", "INDEX", "REFERENCES", "CREATE VIEW"]);
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// How the grant on `app_prod` is stored.
    fn app_prod(&self) -> &'static str {
        if self.literal { "`app_prod`.*" } else { r"`app\_prod`.*" }
    }

    /// What must be held: by the text that SHOW GRANTS prints behind ON.
    fn wanted(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut wanted = BTreeMap::new();
        for (name, printed) in [("app_prod", self.app_prod()), ("appXprod", "`appXprod`.*"), ("we`ird", "`we``ird`.*")]
        {
            if self.covers(name) {
                wanted.insert(printed.to_owned(), self.level());
            }
        }
        if self.covers("app_prod") && self.grants[1] {
            let whole = wanted.get_mut(self.app_prod()).unwrap();
            whole.extend(["LOCK TABLES", "CREATE ROUTINE"].map(str::to_owned));
        }
        wanted
    }

    /// What may be held on an object of a covered database: the level, and what grants name.
    fn may_hold(&self, on: &str) -> BTreeSet<String> {
        let mut may: BTreeSet<String> = self.level();
        if on.ends_with("`app_prod`.`t`") && self.grants[0] {
            may.extend(["INSERT", "INDEX"].map(str::to_owned));
        }
        if on.starts_with("PROCEDURE") || on.starts_with("FUNCTION") {
            may.clear();
            if on.contains("`app_prod`") && self.grants[2] {
                may.insert("EXECUTE".to_owned());
            }
            if on.contains("`app_prod`") && self.grants[1] {
                may.extend(["EXECUTE", "ALTER ROUTINE"].map(str::to_owned));
            }
        }
        may
    }

    /// Compares what the server prints with what should be there, without the provider's own reading.
    fn check(&self, held: &BTreeMap<String, BTreeSet<String>>) {
        let wanted = self.wanted();
        for (on, privileges) in &wanted {
            assert_eq!(held.get(on), Some(privileges), "{on}");
        }
        for (on, privileges) in held.iter().filter(|(on, _)| !wanted.contains_key(*on)) {
            let database = DATABASES.into_iter().find(|name| on.contains(&format!("`{}`.", name.replace('`', "``"))));
            if on == "*.*" {
                assert_eq!(privileges, &BTreeSet::from(["USAGE".to_owned()]));
            } else if on.ends_with(".*") || !database.is_some_and(|name| self.covers(name)) {
                assert!(self.databases.is_some(), "{on} is left");
                let once = privileges.contains("SELECT") && privileges.contains("SHOW VIEW");
                let pattern = !self.literal && ["`app_prod`.*", "`app%`.*"].contains(&on.as_str());
                let opens_ours = (pattern && (self.covers("app_prod") || self.covers("appXprod")))
                    || (on == r"`app\_prod`.*" && self.covers("app_prod"));
                assert!(!once && !opens_ours, "{on} is left with {privileges:?}");
            } else {
                let plain: BTreeSet<String> = privileges.iter().map(|held| held.replace(" (`id`)", "")).collect();
                assert!(plain.is_subset(&self.may_hold(on)), "{on} is left with {privileges:?}");
            }
        }
        if self.covers("app_prod") {
            let on_table = |privilege: &str| {
                let table = held.get("`app_prod`.`t`").is_some_and(|held| held.contains(privilege));
                table || self.level().contains(privilege)
            };
            assert!(!self.grants[0] || (on_table("INSERT") && on_table("INDEX")), "the table");
            let executes =
                |on: &str| held.iter().any(|(of, held)| of.eq_ignore_ascii_case(on) && held.contains("EXECUTE"));
            let both = executes("PROCEDURE `app_prod`.`p`") && executes("FUNCTION `app_prod`.`p`");
            assert!(!self.grants[2] || both, "the routines");
        }
    }
}

/// What SHOW GRANTS prints, by what stands behind ON.
async fn held(server: &TestServer) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in server.by_hand(&[&format!("SHOW GRANTS FOR {USER}@'%'")]).await {
        let line = row[0].strip_prefix("GRANT ").unwrap();
        let (privileges, rest) = line.split_once(" ON ").unwrap();
        let (on, account) = rest.split_once(" TO ").unwrap();
        let names = found.entry(on.to_owned()).or_default();
        names.extend(privileges.split(", ").map(str::to_owned));
        if account.ends_with("WITH GRANT OPTION") {
            names.insert("GRANT OPTION".to_owned());
        }
    }
    found
}

/// Where there is no mark, an account with rights on everything and without those of a level is somebody else's, until
/// what the refusal says is done.
async fn admit(server: &TestServer, mysql: &Mysql, spec: &RoleSpec) {
    if let Ownership::Foreign(words) = mysql.read(spec).await.unwrap().ownership {
        let (_, sql) = words.rsplit_once("first: ").unwrap();
        assert!(sql.starts_with("REVOKE ") && sql.contains(" ON *.* "), "{words}");
        server.by_hand(&[sql]).await;
        // What was read is kept until something is written.
        let mysql = self::mysql(server);
        assert_eq!(mysql.read(spec).await.unwrap().ownership, Ownership::Ours);
    }
}

async fn reach(server: &TestServer, starts: &[Start], goal: &Goal) {
    let goal = &Goal { literal: goal.literal && server.is_mysql, ..goal.clone() };
    let mut by_hand = vec![
        format!("DROP USER IF EXISTS {USER}@'%'"),
        format!("CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL"),
    ];
    let (mysql, spec) = (mysql(server), goal.spec());
    if server.is_mysql {
        let mark = serde_json::json!({ "rdsaccess": spec.mark });
        by_hand.push(format!("ALTER USER {USER}@'%' ATTRIBUTE '{mark}'"));
        by_hand.push(format!("SET GLOBAL partial_revokes = {}", u8::from(goal.literal)));
    }
    by_hand.extend(starts.iter().map(Start::sql));
    server.by_hand(&by_hand.iter().map(String::as_str).collect::<Vec<_>>()).await;
    if !server.is_mysql {
        admit(server, &mysql, &spec).await;
    }
    let position = server.log_position();
    let first = mysql.ensure(&spec, None).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(first.coverage.is_complete() && first.login.is_empty(), "{first:?}");
    let sent = changing(&server.logged_since(position));
    assert!(!sent.iter().any(|sql| sql.starts_with("DROP") || sql.starts_with("CREATE USER")), "{sent:#?}");
    goal.check(&held(server).await);

    let position = server.log_position();
    let second = mysql.ensure(&spec, None).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(changing(&server.logged_since(position)), [""; 0]);
    assert_eq!(second, mysql.read(&spec).await.unwrap());
}

#[test]
fn one_ensure_reaches_the_wanted_set_from_anywhere_and_the_second_changes_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(async {
        let server = TestServer::start(&[]).await;
        for database in DATABASES {
            let quoted = database.replace('`', "``");
            let tables = [format!("CREATE DATABASE `{quoted}`"), format!("CREATE TABLE `{quoted}`.t (id INT)")];
            server.by_hand(&tables.each_ref().map(String::as_str)).await;
        }
        for sql in [
            "CREATE PROCEDURE app_prod.p() SELECT 1",
            "CREATE FUNCTION app_prod.p() RETURNS INT DETERMINISTIC RETURN 1",
            "CREATE PROCEDURE appXprod.p() SELECT 1",
        ] {
            server.by_hand(&[sql]).await;
        }
        server
    });
    let mut runner =
        TestRunner::new(Config { cases: CASES, max_shrink_iters: 60, failure_persistence: None, ..Config::default() });
    let cases = (prop::collection::vec(start(), 0..6), goal());
    let outcome = runner.run(&cases, |(starts, goal)| {
        runtime.block_on(reach(&server, &starts, &goal));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    drop(runtime.enter());
}
