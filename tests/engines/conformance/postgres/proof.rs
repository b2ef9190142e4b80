//! What is tried on PostgreSQL. Every row runs in a transaction of its own, which is rolled back.

use rdsaccess::access::Access;

use crate::conformance::subject::{Refusal, Row};

const DENIED: Refusal = Refusal::Denied("42501");
const READER: Option<Access> = Some(Access::ReadOnly);
const WRITER: Option<Access> = Some(Access::ReadWrite);
const DDL: Option<Access> = Some(Access::Ddl);

/// The whole proof.
pub(super) fn rows(version: u32) -> Vec<Row> {
    // Before 15 everybody may create in the schema `public`, which is reported in `uncovered`.
    let in_public = if version < 15 { READER } else { DDL };
    let plain: [(&'static str, Option<Access>, &[&str]); 13] = [
        ("Reading", READER, &READING),
        ("Writing", WRITER, &WRITING),
        ("Changing the schema", DDL, &CHANGING),
        ("Changing the schema", in_public, &["CREATE TABLE public.made (id int)"]),
        ("Objects of others", None, &OBJECTS_OF_OTHERS),
        ("Out of the administrator's reach", None, &OUT_OF_REACH),
        ("Schemas, databases and extensions", None, &SCHEMAS),
        ("System catalogs", READER, &["SELECT count(*) FROM pg_catalog.pg_class"]),
        ("System catalogs", None, &CATALOGS),
        ("Files, programs and settings of the server", None, &SERVER),
        ("Escalation", None, &ESCALATION),
        ("What PostgreSQL gives to everybody", READER, &GIVEN_TO_ALL),
        ("Passing rights on", None, &["GRANT SELECT ON ALL TABLES IN SCHEMA sales TO PUBLIC"]),
    ];
    let rows = plain
        .into_iter()
        .flat_map(|(area, from, statements)| statements.iter().map(move |sql| Row::new(area, *sql, from, DENIED)));
    let idle = IDLE.into_iter().map(|(sql, watched)| Row::new("Passing rights on", sql, None, Refusal::Idle(watched)));
    rows.chain(idle).collect()
}

const READING: [&str; 14] = [
    "SELECT * FROM sales.orders",
    "SELECT * FROM sales.parts",
    "SELECT * FROM sales.parts_low",
    "SELECT * FROM sales.notes",
    "SELECT * FROM sales.counts",
    "SELECT * FROM sales.remote",
    "SELECT last_value FROM sales.numbers",
    "SELECT last_value FROM sales.serials_id_seq",
    "EXPLAIN SELECT * FROM sales.orders",
    "DECLARE c CURSOR FOR SELECT * FROM sales.orders",
    "DO 'BEGIN PERFORM * FROM sales.orders; END'",
    "LOCK TABLE sales.orders IN ACCESS SHARE MODE",
    "SELECT sales.plain()",
    "SELECT 'good'::sales.mood",
];

const WRITING: [&str; 22] = [
    "INSERT INTO sales.orders (id, note) VALUES (2, 'x')",
    "UPDATE sales.orders SET note = 'y' WHERE id = 1",
    "DELETE FROM sales.orders WHERE id = 1",
    "INSERT INTO sales.orders (id) VALUES (2) RETURNING id",
    "INSERT INTO sales.keyed (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET note = 'again'",
    "WITH gone AS (DELETE FROM sales.orders RETURNING *) SELECT * FROM gone",
    "DO 'BEGIN DELETE FROM sales.orders; END'",
    "INSERT INTO sales.parts (id) VALUES (5)",
    "UPDATE sales.parts SET id = 6",
    "DELETE FROM sales.parts",
    "INSERT INTO sales.parts_low (id) VALUES (5)",
    "INSERT INTO sales.notes (id, note) VALUES (3, 'through the view')",
    "UPDATE sales.notes SET note = 'z'",
    "DELETE FROM sales.notes",
    "INSERT INTO sales.serials (note) VALUES ('x')",
    "SELECT nextval('sales.numbers')",
    "SELECT setval('sales.numbers', 5)",
    "SELECT * FROM sales.orders FOR UPDATE",
    "SELECT * FROM sales.orders FOR SHARE",
    "CALL sales.work()",
    "LOCK TABLE sales.orders IN ROW EXCLUSIVE MODE",
    "LOCK TABLE sales.orders IN ACCESS EXCLUSIVE MODE",
];

const CHANGING: [&str; 20] = [
    "TRUNCATE sales.orders",
    "TRUNCATE sales.parts",
    "CREATE TABLE sales.child (id int REFERENCES sales.keyed (id))",
    "CREATE TRIGGER late BEFORE INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.touch()",
    "CREATE TABLE sales.made (id int)",
    "CREATE UNLOGGED TABLE sales.made (id int)",
    "SELECT * INTO sales.made FROM sales.orders",
    "CREATE VIEW sales.made AS SELECT * FROM sales.orders",
    "CREATE MATERIALIZED VIEW sales.made AS SELECT * FROM sales.orders",
    "CREATE SEQUENCE sales.made",
    "CREATE FUNCTION sales.made() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION sales.made() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    "CREATE PROCEDURE sales.made() LANGUAGE sql AS 'SELECT 1'",
    "CREATE AGGREGATE sales.made (int) (SFUNC = int4pl, STYPE = int)",
    "CREATE TYPE sales.made AS (id int)",
    "CREATE DOMAIN sales.made AS int",
    "CREATE COLLATION sales.made FROM \"C\"",
    "CREATE TABLE sales.made (id int); ALTER TABLE sales.made ADD COLUMN note text; DROP TABLE sales.made",
    "CREATE TABLE sales.made (id int); CREATE INDEX ON sales.made (id); REINDEX TABLE sales.made",
    "CREATE TABLE sales.made (id int); GRANT SELECT ON sales.made TO hoop_ro",
];

const OBJECTS_OF_OTHERS: [&str; 23] = [
    "SELECT sales.secret()",
    "ALTER TABLE sales.orders ADD COLUMN extra int",
    "ALTER TABLE sales.orders RENAME TO renamed",
    "ALTER TABLE sales.orders OWNER TO CURRENT_USER",
    "ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE sales.orders DISABLE TRIGGER ALL",
    "ALTER TABLE sales.parts DETACH PARTITION sales.parts_low",
    "CREATE TABLE sales.parts_high PARTITION OF sales.parts FOR VALUES FROM (100) TO (200)",
    "CREATE INDEX ON sales.orders (id)",
    "CREATE POLICY everything ON sales.orders USING (true)",
    "CREATE RULE nothing AS ON INSERT TO sales.orders DO INSTEAD NOTHING",
    "CREATE STATISTICS sales.made ON id, note FROM sales.orders",
    "COMMENT ON TABLE sales.orders IS 'mine'",
    "DROP TABLE sales.orders",
    "DROP VIEW sales.notes",
    "DROP MATERIALIZED VIEW sales.counts",
    "REFRESH MATERIALIZED VIEW sales.counts",
    "DROP SEQUENCE sales.numbers",
    "ALTER SEQUENCE sales.numbers RESTART",
    "DROP FUNCTION sales.plain()",
    "CREATE OR REPLACE FUNCTION sales.plain() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "ALTER FUNCTION sales.plain() SECURITY DEFINER",
    "DROP TYPE sales.mood",
];

const OUT_OF_REACH: [&str; 3] =
    ["SELECT * FROM sales.strange", "SELECT * FROM closed.secrets", "CREATE TABLE closed.made (id int)"];

const SCHEMAS: [&str; 13] = [
    "CREATE SCHEMA made",
    "DROP SCHEMA sales CASCADE",
    "ALTER SCHEMA sales OWNER TO CURRENT_USER",
    "CREATE TABLE pg_catalog.made (id int)",
    "CREATE TABLE information_schema.made (id int)",
    "CREATE DATABASE made",
    "DROP DATABASE postgres",
    "ALTER DATABASE app SET search_path = sales",
    "CREATE EXTENSION pg_stat_statements",
    "CREATE PUBLICATION everything FOR ALL TABLES",
    "CREATE EVENT TRIGGER late ON ddl_command_end EXECUTE FUNCTION sales.touch()",
    "CREATE FOREIGN DATA WRAPPER made",
    "CREATE SERVER made FOREIGN DATA WRAPPER file_fdw",
];

const CATALOGS: [&str; 8] = [
    "SELECT rolpassword FROM pg_catalog.pg_authid",
    "SELECT * FROM pg_catalog.pg_shadow",
    "SELECT umoptions FROM pg_catalog.pg_user_mapping",
    "SELECT * FROM pg_catalog.pg_largeobject",
    "SELECT * FROM pg_catalog.pg_hba_file_rules",
    "UPDATE pg_catalog.pg_class SET relacl = NULL",
    "INSERT INTO pg_catalog.pg_auth_members SELECT * FROM pg_catalog.pg_auth_members",
    "DELETE FROM pg_catalog.pg_depend",
];

const SERVER: [&str; 15] = [
    "COPY sales.orders TO PROGRAM 'cat'",
    "COPY sales.orders FROM PROGRAM 'id'",
    "COPY sales.orders TO '/tmp/rdsaccess-made'",
    "COPY sales.orders FROM '/etc/passwd'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('made')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'admin1'",
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'admin1'",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "SET log_statement = 'none'",
    "SET session_replication_role = 'replica'",
];

const ESCALATION: [&str; 19] = [
    "CREATE ROLE made",
    "CREATE ROLE made SUPERUSER LOGIN",
    "DROP ROLE hoop_rw",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
    "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
    "ALTER ROLE admin1 PASSWORD 'stolen'",
    "GRANT rds_superuser TO CURRENT_USER",
    "GRANT pg_monitor TO CURRENT_USER",
    "GRANT admin1 TO CURRENT_USER",
    "SET ROLE admin1",
    "SET ROLE rds_superuser",
    "SET SESSION AUTHORIZATION admin1",
    "REASSIGN OWNED BY admin1 TO CURRENT_USER",
    "DROP OWNED BY admin1",
    "ALTER DEFAULT PRIVILEGES FOR ROLE admin1 GRANT SELECT ON TABLES TO PUBLIC",
    "COMMENT ON ROLE hoop_rw IS 'mine'",
];

/// Rights of PUBLIC and of every owner of a password, which no level can take away, and the reach of functions that
/// run as their owner.
const GIVEN_TO_ALL: [&str; 6] = [
    "CREATE TEMPORARY TABLE made (id int)",
    "SELECT lo_create(0)",
    "ALTER ROLE CURRENT_USER PASSWORD 'own-Choice1'",
    "ALTER ROLE CURRENT_USER SET work_mem = '1MB'",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO hoop_ro",
    "SELECT sales.as_owner()",
];

const ORDERS_ACL: &str = "SELECT relacl::text FROM pg_class WHERE oid = 'sales.orders'::regclass";
const SALES_ACL: &str = "SELECT nspacl::text FROM pg_namespace WHERE nspname = 'sales'";
const APP_ACL: &str = "SELECT datacl::text FROM pg_database WHERE datname = 'app'";
const PLAIN_ACL: &str = "SELECT coalesce(proacl, acldefault('f', proowner))::text FROM pg_proc WHERE proname = 'plain'";

/// PostgreSQL answers these with a warning.
const IDLE: [(&str, &str); 6] = [
    ("GRANT SELECT ON sales.orders TO PUBLIC", ORDERS_ACL),
    ("GRANT ALL ON sales.orders TO CURRENT_USER", ORDERS_ACL),
    ("REVOKE ALL ON sales.orders FROM admin1", ORDERS_ACL),
    ("GRANT ALL ON SCHEMA sales TO PUBLIC", SALES_ACL),
    ("GRANT ALL ON DATABASE app TO PUBLIC", APP_ACL),
    ("GRANT EXECUTE ON FUNCTION sales.plain() TO hoop_ro", PLAIN_ACL),
];
