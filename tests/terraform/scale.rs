//! Many databases of AWS on a few servers, and many roles on one, in one apply beside other people who grant.

use std::fs;

use crate::blocks;
use crate::crowd::{Connections, Watched, bystander, watch};
use crate::fixture::{is_postgres, master_secret};
use crate::rig::{Database, Rig};
use crate::sql::{Rows, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

/// The engines of the servers; the first one holds one database with many roles, the others share the rest.
const SERVERS: [&str; 5] = ["postgres", "postgres", "mariadb", "postgres", "mariadb"];
const ACCOUNTS: [(&str, &str); 4] = [
    ("payments-prod", "us-east-1"),
    ("payments-eu", "eu-west-1"),
    ("orders-eu", "eu-west-1"),
    ("payments-staging", "us-east-1"),
];
/// What the provider allows itself by default.
const CONNECTIONS: usize = 3;

fn name(number: usize) -> String {
    format!("app{number:03}")
}

/// A database with many roles on a server of its own, and so many others on four servers.
pub(crate) fn fleet(others: usize) -> Rig {
    let wish = |number: usize| {
        let shared = SERVERS.len() - 1;
        let server = if number == 0 { 0 } else { (number - 1) % shared + 1 };
        let (account, region) = ACCOUNTS[number / shared % ACCOUNTS.len()];
        let wish = DatabaseWish::instance(account, region, &format!("db{number:03}"), SERVERS[server]);
        let wish = wish.holding(&[&name(number)]);
        if number < SERVERS.len() { wish } else { wish.on_server_of(server) }
    };
    let rig = Rig::start(&(0..=others).map(wish).fold(Wish::organization(), Wish::with));
    for (number, database) in rig.made.databases.iter().enumerate() {
        let mut table = "CREATE TABLE orders (id int PRIMARY KEY, note text);".to_owned();
        if is_postgres(database) {
            table += &format!("ALTER TABLE orders OWNER TO \"{}\";", database.master_username);
        }
        as_owner(database, &name(number), &table);
    }
    rig
}

pub(crate) fn configuration(rig: &Rig, many: usize) -> String {
    let mut targets = String::new();
    for (number, database) in rig.made.databases.iter().enumerate() {
        targets += &format!(
            "    {} = {{ arn = \"{}\", secret = \"{}\" }}\n",
            name(number),
            database.arn,
            master_secret(rig, database)
        );
    }
    format!(
        r#"{provider}
locals {{
  levels  = ["read_only", "read_write", "ddl"]
  targets = {{
{targets}  }}
  fleet   = [for pair in setproduct(keys(local.targets), local.levels) : pair if pair[0] != "app000"]
}}

resource "rdsaccess_role" "fleet" {{
  for_each   = {{ for pair in local.fleet : "${{pair[0]}}_${{pair[1]}}" => pair }}
  target_arn = local.targets[each.value[0]].arn
  name       = each.key
  access     = each.value[1]
  databases  = [each.value[0]]
  admin      = {{ secret_ref = local.targets[each.value[0]].secret }}
}}

resource "rdsaccess_role" "many" {{
  count      = {many}
  target_arn = local.targets.app000.arn
  name       = "many_${{count.index}}"
  access     = local.levels[count.index % 3]
  databases  = ["app000"]
  admin      = {{ secret_ref = local.targets.app000.secret }}
}}
"#,
        provider = blocks::provider(rig, ""),
    )
}

/// Our logins and groups on a server.
fn made(server: &Database) -> Rows {
    if is_postgres(server) {
        let ours = "rolname ~ '^(app|many|hoop|rdsaccess)'";
        as_owner(server, "postgres", &format!("SELECT rolname FROM pg_roles WHERE {ours}"))
    } else {
        as_owner(server, "", "SELECT user FROM mysql.user WHERE user LIKE 'app%'")
    }
}

/// How often the catalog that the whole server shares was read, by the server's log from there on.
fn readings(server: &Database, from: usize) -> usize {
    let text = log(server).split_off(from);
    let query =
        if is_postgres(server) { "statement: SELECT json_build_object('version'" } else { "FROM mysql.global_priv" };
    text.lines().filter(|line| line.contains(query)).count()
}

fn log(server: &Database) -> String {
    let path = server.log.as_ref().expect("the server has a log");
    String::from_utf8_lossy(&fs::read(path).expect("the log is readable")).into_owned()
}

#[expect(clippy::print_stdout, reason = "the row is what the benchmark is run for")]
fn show(what: &str, how_much: &str, watched: &Watched, peaks: &[usize]) {
    let (millis, memory) = (watched.time.as_millis(), watched.memory);
    println!(
        "{how_much}, {what:<12} {millis:>8} ms, provider {memory:>3} MiB, connections at most per server {peaks:?}"
    );
}

/// Applies, plans and destroys `many` roles on one database and three on each of the others. Connections are counted on
/// the servers meanwhile.
fn all_of_it(many: usize, others: usize) {
    let rig = fleet(others);
    let servers = || rig.made.databases.iter().take(SERVERS.len());
    let databases_of = |server: usize| if server == 0 { 1 } else { (others + SERVERS.len() - 1 - server) / 4 };
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, many));
    let roles = many + 3 * others;
    let step = |what: &str, arguments: &[&str]| {
        let watching: Vec<Connections> = servers().map(Connections::watch).collect();
        let watched = watch(&workspace, &[arguments, &["-input=false", "-no-color", "-parallelism=50"]].concat());
        let peaks: Vec<usize> = watching.into_iter().map(Connections::most).collect();
        show(what, &format!("{roles:>3} roles in {} databases", others + 1), &watched, &peaks);
        for (server, peak) in peaks.into_iter().enumerate() {
            let bound = CONNECTIONS * databases_of(server);
            assert!(peak <= bound, "{peak} connections to server {server}, {bound} are allowed");
            // A plan may be done before three samples show a connection.
            assert!(peak > 0 || what == "second plan", "the samples show the provider's connections");
        }
        watched.run.ok()
    };

    let crowd: Vec<_> = servers().enumerate().map(|(number, server)| bystander(server, &name(number))).collect();
    let applied = step("apply", &["apply", "-auto-approve"]);
    assert!(applied.stdout.contains(&format!("{roles} added, 0 changed, 0 destroyed")), "{}", applied.stdout);
    for at_work in crowd {
        assert!(at_work.stop().0 > 0, "somebody else was at work");
    }
    let from: Vec<usize> = servers().map(|server| log(server).len()).collect();
    step("second plan", &["plan", "-detailed-exitcode"]);
    for (number, server) in servers().enumerate() {
        assert_eq!(readings(server, from[number]), databases_of(number), "one reading for all roles of a database");
    }
    step("destroy", &["destroy", "-auto-approve"]);
    for server in servers() {
        assert_eq!(made(server), Rows::new(), "{}", server.identifier);
    }
}

#[test]
fn many_databases_and_many_roles_on_one_hold_beside_others_who_grant() {
    all_of_it(9, 4);
}

/// Thirty roles on one database, and three roles on each of a hundred on four servers.
#[test]
#[ignore = "it takes minutes: make bench"]
fn a_hundred_databases() {
    all_of_it(30, 100);
}

const TABLES: usize = 1500;

/// A schema of 1,500 tables that belong to three owners.
fn large_schema(server: &Database) {
    let sql = format!(
        "CREATE ROLE team_a; CREATE ROLE team_b; CREATE ROLE team_c; \
         GRANT team_a, team_b, team_c TO {master} WITH ADMIN OPTION; CREATE SCHEMA big AUTHORIZATION {master}; \
         DO $$ BEGIN FOR n IN 0..{last} LOOP \
           EXECUTE format('CREATE TABLE big.t%s (id int)', n); \
           EXECUTE format('ALTER TABLE big.t%s OWNER TO %I', n, (ARRAY['team_a', 'team_b', 'team_c'])[n % 3 + 1]); \
         END LOOP; END $$",
        master = server.master_username,
        last = TABLES - 1
    );
    as_owner(server, "app", &sql);
}

/// What a provider process takes for them, from the first apply to the repair of one grant.
#[test]
#[ignore = "a figure of make bench; the engine's own test makes the same schema"]
fn a_schema_of_fifteen_hundred_tables() {
    let (account, region) = ACCOUNTS[0];
    let wish = DatabaseWish::instance(account, region, "ledger", "postgres").holding(&["app"]);
    let rig = Rig::start(&Wish::organization().with(wish));
    let server = rig.database(0);
    large_schema(server);
    let workspace = Workspace::new(&rig);
    let (provider, secret) = (blocks::provider(&rig, ""), master_secret(&rig, server));
    let text = format!(
        r#"{provider}
resource "rdsaccess_role" "it" {{
  for_each   = toset(["read_only", "read_write", "ddl"])
  target_arn = "{arn}"
  access     = each.key
  databases  = ["app"]
  owners     = each.key == "ddl" ? ["team_a", "team_b", "team_c"] : null
  admin      = {{ secret_ref = "{secret}" }}
}}
"#,
        arn = server.arn
    );
    workspace.write("main.tf", &text);
    let step = |what: &str, arguments: &[&str], code: i32| {
        let connections = Connections::watch(server);
        let watched = watch(&workspace, &[arguments, &["-input=false", "-no-color"]].concat());
        show(what, &format!("  3 roles on {TABLES} tables"), &watched, &[connections.most()]);
        assert_eq!(watched.run.code, code, "{}\n{}", watched.run.stdout, watched.run.stderr);
    };
    step("create", &["apply", "-auto-approve"], 0);
    step("read", &["plan", "-detailed-exitcode"], 0);
    let group = "SELECT grantee::regrole FROM pg_class, aclexplode(relacl) WHERE oid = 'big.t7'::regclass \
                 AND grantee::regrole::text LIKE 'rdsaccess_rw_%' AND privilege_type = 'INSERT'";
    let group = as_owner(server, "app", group)[0][0].clone();
    as_owner(server, "app", &format!("REVOKE INSERT ON big.t7 FROM {group}"));
    step("drift", &["plan", "-detailed-exitcode"], 2);
    step("repair", &["apply", "-auto-approve"], 0);
    step("read", &["plan", "-detailed-exitcode"], 0);
    step("destroy", &["destroy", "-auto-approve"], 0);
    assert_eq!(made(server), Rows::new());
}
