//! `grants`, `valid_until`, `connection_limit` and `end_sessions` of `rdsaccess_role`: made, held, taken back, refused.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, login, master_secret};
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";

fn rig(engine: &str) -> Rig {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop", "stock"]);
    let rig = Rig::start(&Wish::organization().with(wish));
    fill(rig.database(0), &["shop", "stock"]);
    rig
}

fn write(rig: &Rig, workspace: &Workspace<'_>, admin: &str, lines: &str) {
    let text = format!(
        "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  admin = {{ secret_ref = \"{admin}\" }}\n  \
         name = \"hoop_x\"\n  {lines}\n}}\n",
        blocks::provider(rig, ""),
        rig.database(0).arn
    );
    workspace.write("main.tf", &text);
}

fn apply(workspace: &Workspace<'_>) -> Value {
    workspace.apply().ok();
    workspace.plan().nothing();
    workspace.resource(IT).expect("the role is in the state")
}

fn reader<'a>(rig: &Rig, database: &'a Database, state: &Value) -> Login<'a> {
    login(rig, database, state).database("shop")
}

/// A grant of INSERT on `orders` beside `read_only`.
fn insert(engine: &str) -> String {
    let schema = if engine == "postgres" { ", schema = \"public\"" } else { "" };
    format!(
        "grants = [{{ database = \"shop\"{schema}, object_type = \"table\", objects = [\"orders\"], privileges = \
         [\"INSERT\"] }}]"
    )
}

fn grants_live(engine: &str, revoke: &str, add: &str) {
    let rig = rig(engine);
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let admin = master_secret(&rig, database);
    let with = format!("access = \"read_only\"\n  {}", insert(engine));
    write(&rig, &workspace, &admin, &with);
    let made = apply(&workspace);
    let one = reader(&rig, database, &made);
    one.run(&rig, "INSERT INTO orders VALUES (2, 'x')").unwrap();
    assert!(one.run(&rig, "UPDATE orders SET note = 'y'").is_err());
    assert!(one.clone().database("stock").run(&rig, "INSERT INTO orders VALUES (2, 'x')").is_err());

    as_owner(database, "shop", revoke);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("missing INSERT") && plan.contains("1 to change"), "{plan}");
    apply(&workspace);
    one.run(&rig, "INSERT INTO orders VALUES (3, 'x')").unwrap();

    as_owner(database, "shop", add);
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("UPDATE") && plan.contains("-> \"complete\""), "{plan}");
    apply(&workspace);
    assert!(one.run(&rig, "UPDATE orders SET note = 'y'").is_err());

    write(&rig, &workspace, &admin, "access = \"read_only\"");
    let bare = apply(&workspace);
    assert_eq!(bare["secret_version"], made["secret_version"], "a change of the grants keeps the password");
    assert!(one.run(&rig, "INSERT INTO orders VALUES (4, 'x')").is_err());
    one.run(&rig, "SELECT note FROM orders").unwrap();
    workspace.destroy().ok();
}

#[test]
fn grants_on_postgres_are_made_held_and_taken_back() {
    grants_live("postgres", "REVOKE INSERT ON orders FROM hoop_x", "GRANT UPDATE ON orders TO hoop_x");
}

#[test]
fn grants_on_mariadb_are_made_held_and_taken_back() {
    grants_live("mariadb", "REVOKE INSERT ON shop.orders FROM hoop_x", "GRANT UPDATE ON shop.orders TO hoop_x");
}

#[test]
fn an_end_and_a_limit_hold_on_postgres() {
    let rig = rig("postgres");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let admin = master_secret(&rig, database);
    let lines = "access = \"read_only\"\n  valid_until = \"2099-01-31T13:00:00+01:00\"\n  connection_limit = 2";
    write(&rig, &workspace, &admin, lines);
    let state = apply(&workspace);
    assert_eq!(state["valid_until"], "2099-01-31T13:00:00+01:00", "the notation stays");
    let there = || {
        let sql = "SELECT rolconnlimit, rolvaliduntil = '2099-01-31 12:00+00' FROM pg_roles WHERE rolname = 'hoop_x'";
        as_owner(database, "postgres", sql)
    };
    assert_eq!(there(), [["2", "t"]]);
    as_owner(database, "postgres", "ALTER ROLE hoop_x CONNECTION LIMIT 50 VALID UNTIL 'infinity'");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("50 sessions") && plan.contains("1 to change"), "{plan}");
    apply(&workspace);
    assert_eq!(there(), [["2", "t"]]);

    write(&rig, &workspace, &admin, "access = \"read_only\"");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("connection_limit") && plan.contains("valid_until"), "{plan}");
    let state = apply(&workspace);
    assert_eq!((&state["valid_until"], &state["connection_limit"]), (&Value::Null, &Value::Null));
    assert_eq!(there(), [["-1", "f"]]);
    reader(&rig, database, &state).run(&rig, "SELECT note FROM orders").unwrap();
}

#[test]
fn a_login_that_has_ended_is_not_rotated_by_age_and_goes_on_with_a_later_end() {
    let rig = rig("postgres");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let admin = master_secret(&rig, database);
    let with = |until: &str, round: u8| {
        let rotation = format!("rotation = {{ after = \"1h\", keepers = {{ round = \"{round}\" }} }}");
        let end = format!("valid_until = \"{until}\"");
        write(&rig, &workspace, &admin, &format!("access = \"read_only\"\n  {rotation}\n  {end}"));
    };
    with("2099-01-31T12:00:00Z", 1);
    apply(&workspace);
    with("2020-01-31T12:00:00Z", 1);
    let ended = apply(&workspace);
    let file = workspace.folder().join("terraform.tfstate");
    let rotated_at = ended["rotated_at"].as_str().unwrap();
    let old = std::fs::read_to_string(&file).unwrap().replace(rotated_at, "2020-01-01T00:00:00Z");
    std::fs::write(&file, old).unwrap();
    workspace.plan().nothing();

    with("2020-01-31T12:00:00Z", 2);
    let error = workspace.plan_run().error();
    assert!(error.contains("The login has ended") && error.contains("2020-01-31T12:00:00Z"), "{error}");
    with("2099-01-31T12:00:00Z", 2);
    let state = apply(&workspace);
    assert_ne!(state["secret_version"], ended["secret_version"]);
    reader(&rig, database, &state).run(&rig, "SELECT note FROM orders").unwrap();
}

#[test]
fn a_host_that_is_left_out_again_is_replaced_by_the_default() {
    let rig = rig("mariadb");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let admin = master_secret(&rig, database);
    let hosts = || as_owner(database, "", "SELECT host FROM mysql.user WHERE user = 'hoop_x'");
    write(&rig, &workspace, &admin, "access = \"read_only\"\n  host = \"127.0.0.%\"");
    apply(&workspace);
    assert_eq!(hosts(), [["127.0.0.%"]]);
    write(&rig, &workspace, &admin, "access = \"read_only\"");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("\"127.0.0.%\" -> \"%\" # forces replacement"), "{plan}");
    let state = apply(&workspace);
    assert_eq!((&state["host"], hosts()), (&json!("%"), vec![vec!["%".to_owned()]]));
}

#[test]
fn a_limit_holds_on_mariadb() {
    let rig = rig("mariadb");
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let admin = master_secret(&rig, database);
    write(&rig, &workspace, &admin, "access = \"read_only\"\n  connection_limit = 2");
    apply(&workspace);
    let there = || as_owner(database, "", "SELECT max_user_connections FROM mysql.user WHERE user = 'hoop_x'");
    assert_eq!(there(), [["2"]]);
    as_owner(database, "", "ALTER USER hoop_x WITH MAX_USER_CONNECTIONS 50");
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("limit is 50 instead of 2") && plan.contains("1 to change"), "{plan}");
    apply(&workspace);
    assert_eq!(there(), [["2"]]);
    write(&rig, &workspace, &admin, "access = \"read_only\"");
    apply(&workspace);
    assert_eq!(there(), [["0"]]);
}

/// Whether the open session of a long query lives on through an apply.
fn outlives(engine: &str, end_sessions: &str) -> bool {
    let rig = rig(engine);
    let (database, workspace) = (rig.database(0), Workspace::new(&rig));
    let admin = master_secret(&rig, database);
    write(&rig, &workspace, &admin, &format!("access = \"read_write\"\n  end_sessions = \"{end_sessions}\""));
    let state = apply(&workspace);
    let session = reader(&rig, database, &state);
    let sleep = if engine == "postgres" { "SELECT pg_sleep(60)" } else { "SELECT SLEEP(60)" };
    let open = |database: &Database| {
        let sql = if engine == "postgres" {
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'hoop_x'"
        } else {
            "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'hoop_x'"
        };
        as_owner(database, if engine == "postgres" { "postgres" } else { "" }, sql)[0][0] != "0"
    };
    std::thread::scope(|scope| {
        scope.spawn(|| session.run(&rig, sleep));
        assert!(crate::fixture::within(std::time::Duration::from_secs(20), || open(database)), "no session is open");
        write(&rig, &workspace, &admin, &format!("access = \"read_only\"\n  end_sessions = \"{end_sessions}\""));
        workspace.apply().ok();
        let lives = open(database);
        let kill = if engine == "postgres" {
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hoop_x'"
        } else {
            "KILL USER hoop_x"
        };
        as_owner(database, if engine == "postgres" { "postgres" } else { "" }, kill);
        lives
    })
}

#[test]
fn open_postgres_sessions_end_with_less_access_where_that_is_asked_for() {
    assert!(!outlives("postgres", "always"));
    assert!(outlives("postgres", "on_destroy"));
}

#[test]
fn open_mariadb_sessions_end_with_less_access_where_that_is_asked_for() {
    assert!(!outlives("mariadb", "always"));
    assert!(outlives("mariadb", "on_destroy"));
}

#[test]
fn what_does_not_fit_is_refused_by_the_plan() {
    let rig = Rig::start(
        &Wish::organization()
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable())
            .with(DatabaseWish::instance("payments-prod", "us-east-1", "shop", "mariadb").unreachable()),
    );
    let workspace = Workspace::new(&rig);
    let grant = "grants = [{ database = \"app\", object_type = \"database\", privileges = [\"CONNECT\"] }]";
    let cases: [(usize, String, &[&str]); 12] = [
        (0, "databases = [\"a\"]\n  ".to_owned() + grant, &["`grants` names app"]),
        (0, format!("access = \"ddl\"\n  {grant}"), &["`grants` and `ddl`", "runs as its group"]),
        (1, grant.to_owned(), &["A grant does not fit the engine", "db:shop"]),
        (
            0,
            "grants = [{ database = \"a\", object_type = \"view\", privileges = [\"SELECT\"] }]".to_owned(),
            &["`view`"],
        ),
        (1, "valid_until = \"2030-01-31T12:00:00Z\"".to_owned(), &["`valid_until` does not fit the engine"]),
        (0, "valid_until = \"tomorrow\"".to_owned(), &["RFC 3339"]),
        (0, "connection_limit = 0".to_owned(), &["between 1 and 100000"]),
        (0, "auth = \"iam\"".to_owned(), &["IAM authentication is off", "--enable-iam-database-authentication"]),
        (0, "admin = { auth = \"iam\" }".to_owned(), &["IAM authentication is off"]),
        (0, "auth = \"iam\"\n  rotation = {}".to_owned(), &["nothing to rotate"]),
        (0, "rotation = { strategy = \"dual_password\" }".to_owned(), &["needs MySQL 8.0.14", "`two_users`"]),
        (
            0,
            format!("name = \"{}\"\n  rotation = {{ strategy = \"two_users\" }}", "x".repeat(58)),
            &["_clone", "63 bytes"],
        ),
    ];
    for (number, lines, words) in cases {
        let level = if lines.contains("access") { "" } else { "access = \"read_only\"\n  " };
        let text = format!(
            "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  {level}{lines}\n}}\n",
            blocks::provider(&rig, ""),
            rig.database(number).arn
        );
        workspace.write("main.tf", &text);
        let run = workspace.plan_run();
        assert_eq!(run.code, 1, "{lines} is planned:\n{}", run.stdout);
        let error = run.error();
        for word in words {
            assert!(error.contains(word), "{lines}: `{word}` is not in:\n{error}");
        }
    }
    let calls = json!(rig.calls("CreateSecret").len() + rig.calls("GetSecretValue").len());
    assert_eq!(calls, 0, "a plan reads no secret and makes none");
}
