//! One object of every kind.

/// What the administrator makes in `app`.
pub(super) const OWNED: [&str; 20] = [
    "CREATE TABLE sales.keyed (id int PRIMARY KEY, note text)",
    "CREATE TABLE sales.parts (id int) PARTITION BY RANGE (id)",
    "CREATE TABLE sales.parts_low PARTITION OF sales.parts FOR VALUES FROM (0) TO (100)",
    "CREATE VIEW sales.notes AS SELECT id, note FROM sales.orders",
    "CREATE MATERIALIZED VIEW sales.counts AS SELECT count(*) FROM sales.orders",
    "CREATE SEQUENCE sales.numbers",
    "CREATE TABLE sales.serials (id serial, note text)",
    "CREATE FUNCTION sales.plain() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION sales.secret() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "REVOKE EXECUTE ON FUNCTION sales.secret() FROM PUBLIC",
    "CREATE FUNCTION sales.as_owner() RETURNS void LANGUAGE sql SECURITY DEFINER \
     AS 'INSERT INTO sales.orders (id, note) VALUES (9, ''by the owner'')'",
    "CREATE FUNCTION sales.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE PROCEDURE sales.work() LANGUAGE sql AS 'INSERT INTO sales.orders (id) VALUES (8)'",
    "CREATE TYPE sales.mood AS ENUM ('good', 'bad')",
    "CREATE SCHEMA second CREATE TABLE one (id int) CREATE TABLE two (id int)",
    "CREATE FUNCTION second.shut() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION second.shut(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
    "CREATE PROCEDURE second.work() LANGUAGE sql AS 'SELECT 1'",
    "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA second FROM PUBLIC",
    "REVOKE EXECUTE ON ALL PROCEDURES IN SCHEMA second FROM PUBLIC",
];

/// What a superuser makes there: a foreign table for the administrator, and things out of its reach.
pub(super) const STRANGE: [&str; 6] = [
    "CREATE EXTENSION file_fdw",
    "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
    "CREATE FOREIGN TABLE sales.remote (version text) SERVER files OPTIONS (filename 'PG_VERSION')",
    "ALTER FOREIGN TABLE sales.remote OWNER TO admin1",
    "CREATE TABLE sales.strange (id int)",
    "CREATE SCHEMA closed CREATE TABLE secrets (id int)",
];
