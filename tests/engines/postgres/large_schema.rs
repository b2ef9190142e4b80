//! A schema of 1,500 tables with three owners, on a distant server.

use super::round_trips::Distant;
use super::*;

const TABLES: usize = 1500;
const OWNERS: [&str; 3] = ["team_a", "team_b", "team_c"];

async fn with_tables() -> Distant {
    let distant = Distant::start(&["app"]).await;
    let tables = format!(
        "CREATE ROLE team_a; CREATE ROLE team_b; CREATE ROLE team_c; GRANT team_a, team_b, team_c TO admin1 WITH ADMIN OPTION; \
         CREATE SCHEMA big AUTHORIZATION admin1; GRANT USAGE, CREATE ON SCHEMA big TO team_a, team_b, team_c; \
         DO $$ BEGIN FOR n IN 0..{last} LOOP \
           EXECUTE format('CREATE TABLE big.t%s (id int)', n); \
           EXECUTE format('ALTER TABLE big.t%s OWNER TO %I', n, (ARRAY['team_a', 'team_b', 'team_c'])[n % 3 + 1]); \
         END LOOP; END $$",
        last = TABLES - 1
    );
    distant.server.superuser("app").await.batch_execute(&tables).await.unwrap();
    distant
}

fn specs() -> [RoleSpec; 3] {
    let mut specs = trio();
    specs[2].scope.owners = Some(OWNERS.iter().map(|owner| owner.parse().unwrap()).collect());
    specs
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_hundred_tables_of_three_owners_take_no_more_round_trips_than_one() {
    let distant = with_tables().await;
    let password = Secret::from(PASSWORD);
    for spec in specs() {
        let case = format!("{TABLES} tables, create {}", spec.access);
        let made = distant
            .count(&case, 4, async |engine| {
                assert_complete(&engine.ensure(&spec, Some(&password)).await.unwrap());
            })
            .await;
        assert_eq!(made["app"], 3);
    }
    let read = distant
        .count(&format!("{TABLES} tables, read of three roles"), 1, async |engine| {
            for spec in specs() {
                assert_complete(&engine.read(&spec).await.unwrap());
            }
        })
        .await;
    assert_eq!(read["app"], 1);

    let [_, writer, _] = specs();
    let grantee = "SELECT grantee::regrole::text FROM pg_class, aclexplode(relacl) WHERE oid = 'big.t1499'::regclass \
                   AND grantee::regrole::text LIKE 'rdsaccess_rw_%' LIMIT 1";
    let owner = distant.server.superuser("app").await;
    let group = column(&owner, grantee).await.remove(0);
    owner.batch_execute(&format!("REVOKE INSERT ON big.t1499 FROM {group}")).await.unwrap();
    let repaired = distant
        .count(&format!("{TABLES} tables, repair of one grant"), 4, async |engine| {
            assert_complete(&engine.ensure(&writer, None).await.unwrap());
        })
        .await;
    assert_eq!(repaired["app"], 3);

    let reading = enter(&distant.server, "hoop_ro", "app").await;
    let writing = enter(&distant.server, "hoop_rw", "app").await;
    let changing = enter(&distant.server, "hoop_ddl", "app").await;
    for table in ["big.t1497", "big.t1498", "big.t1499"] {
        assert_allowed(&reading, &[&format!("SELECT * FROM {table}")]).await;
        assert_denied(&reading, &[&format!("INSERT INTO {table} VALUES (1)")]).await;
        assert_allowed(&writing, &[&format!("INSERT INTO {table} VALUES (1)")]).await;
        assert_denied(&writing, &[&format!("ALTER TABLE {table} ADD note text")]).await;
        assert_allowed(&changing, &[&format!("ALTER TABLE {table} ADD note text")]).await;
    }
}
