//! The catalogs that the golden files of the engine start from: recorded on real servers, and checked to still have the
//! form of what the engine reads.

use std::collections::BTreeSet;
use std::path::Path;

use rdsaccess::access::Access;
use serde_json::Value;
use tokio_postgres::SimpleQueryMessage;

use super::*;

const SETUP: &str = "CREATE ROLE keeper; GRANT USAGE, CREATE ON SCHEMA sales TO keeper;
    CREATE TABLE sales.kept (id int, note text); GRANT UPDATE (note) ON sales.kept TO keeper;
    ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO keeper;
    CREATE FUNCTION sales.total(int, text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE TYPE sales.mood AS ENUM ('good'); GRANT USAGE ON TYPE sales.mood TO keeper;
    ALTER ROLE keeper IN DATABASE app SET role = 'keeper'";

/// Owners that the administrator is no member of, but may become.
const OWNER: &str = "GRANT keeper TO admin1 WITH ADMIN OPTION; ALTER TABLE sales.kept OWNER TO keeper";

/// What the engine asks for first, as the log of the server has it, and the answers.
async fn recorded(server: &PostgresServer) -> String {
    let before = server.log().len();
    server.engine().read(&spec_in("hoop", Access::ReadOnly, &["app"])).await.unwrap();
    let log = server.log().split_off(before);
    let query = log.split("statement: ").find(|text| text.starts_with("SELECT json_build_object('version'")).unwrap();
    // Lines of one statement begin with a tab; the next entry begins with the name of a client.
    let lines: Vec<&str> =
        query.lines().enumerate().take_while(|(n, line)| *n == 0 || line.starts_with('\t')).map(|(_, l)| l).collect();
    let master = server.master("app").await;
    master.batch_execute("SET search_path = pg_catalog").await.unwrap();
    let answers = master.simple_query(&lines.join("\n")).await.unwrap();
    let rows = answers.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    rows.collect::<Vec<_>>().join("\n")
}

/// Every path of keys in a document; items of lists have no number.
fn form(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                form(value, &format!("{path}.{key}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| form(item, &format!("{path}[]"), found)),
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn forms(recorded: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (n, line) in recorded.lines().enumerate() {
        form(&serde_json::from_str(line).unwrap(), &n.to_string(), &mut found);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_catalogs_have_the_form_of_what_is_read() {
    let server = PostgresServer::start().await;
    let master = server.master("app").await;
    for sql in [EVERY_KIND, SETUP] {
        master.batch_execute(sql).await.unwrap();
    }
    let superuser = server.superuser("app").await;
    superuser.batch_execute(OWNER).await.unwrap();
    let now = recorded(&server).await;
    let major: u32 = column(&superuser, "SHOW server_version_num").await[0].parse::<u32>().unwrap() / 10_000;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/postgres");
    // Of the versions between the recorded ones the form is that of the next lower one.
    let version = [18, 16, 15, 12].into_iter().find(|recorded| *recorded <= major).unwrap();
    let path = folder.join(version.to_string()).join("catalog.json");
    if version == major && std::env::var_os("RDSACCESS_UPDATE").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &now).unwrap();
    }
    let help = format!("record {} anew: RDSACCESS_UPDATE=1 cargo test --test engines recorded", path.display());
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {help}"));
    assert_eq!(forms(&kept), forms(&now), "{help}");
}
