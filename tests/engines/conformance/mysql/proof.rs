//! What is tried on MySQL and MariaDB. DDL cannot be rolled back here, so the rows run in this order, and those of
//! `ddl` clean up behind themselves.

use rdsaccess::access::Access;

use crate::conformance::subject::{Refusal, Row};

const READER: Option<Access> = Some(Access::ReadOnly);
const WRITER: Option<Access> = Some(Access::ReadWrite);
const DDL: Option<Access> = Some(Access::Ddl);

/// Further objects of the administrator.
pub(super) const OWNED: [&str; 5] = [
    "CREATE TABLE app.keyed (id INT PRIMARY KEY, note VARCHAR(40))",
    "CREATE TABLE app.parts (id INT) PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (100))",
    "CREATE VIEW app.notes AS SELECT id, note FROM app.orders",
    "CREATE PROCEDURE app.as_owner() INSERT INTO app.orders (id) VALUES (9)",
    "CREATE FUNCTION app.plain() RETURNS INT DETERMINISTIC RETURN 1",
];

/// Views of somebody with every right, who lets everybody who reads them use it.
pub(super) const OF_THE_DBA: [&str; 3] = [
    "CREATE ROLE admins",
    "CREATE VIEW app.accounts AS SELECT user FROM mysql.user",
    "CREATE VIEW app.others AS SELECT id, note FROM other.orders",
];

const AREAS: [&str; 9] = [
    "Reading",
    "Writing",
    "Changing the schema",
    "Routines, triggers and events",
    "Other databases and those of the system",
    "Files and the server",
    "Escalation",
    "Views that run with the rights of who made them",
    "The database itself",
];

/// MariaDB from 11 on refuses a file with the words of a refused login.
fn of_version(is_mysql: bool, version: &str, sql: &str, code: &'static str) -> &'static str {
    let is_file = [" INTO OUTFILE ", " INTO DUMPFILE "].iter().any(|into| sql.contains(into));
    let is_11 = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 11);
    if is_file && is_11 && !is_mysql { "1045" } else { code }
}

/// The whole proof; `session` is one of the administrator.
pub(super) fn rows(is_mysql: bool, version: &str, session: u32) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |area, from, statements: &[(&str, &'static str)]| {
        let refusal = |sql: &str, code: &'static str| Refusal::Denied(of_version(is_mysql, version, sql, code));
        rows.extend(statements.iter().map(|(sql, code)| Row::new(area, *sql, from, refusal(sql, code))));
    };
    let [reading, writing, changing, routines, elsewhere, server, escalation, views, itself] = AREAS;
    add(reading, READER, &READING);
    add(writing, WRITER, &WRITING);
    add(changing, DDL, &CHANGING);
    add(routines, None, &ROUTINES);
    add(elsewhere, None, &ELSEWHERE);
    add(server, None, &SERVER);
    add(escalation, None, &ESCALATION);
    add(views, READER, &[("SELECT * FROM app.accounts", "")]);
    add(views, WRITER, &[("INSERT INTO app.others (id) VALUES (7)", "1142")]);
    add(itself, DDL, &[("DROP DATABASE app", "1044"), ("CREATE DATABASE app", "1044")]);
    rows.extend(of_one_server(is_mysql));
    let kill = Row::new("Files and the server", format!("KILL {session}"), None, Refusal::Denied("1095"));
    rows.push(kill.shown_as("KILL <a session of admin1>"));
    rows.sort_by_key(|row| AREAS.iter().position(|area| *area == row.area));
    rows
}

/// Where MySQL and MariaDB answer differently.
fn of_one_server(is_mysql: bool) -> Vec<Row> {
    let code = |mysql, mariadb| Refusal::Denied(if is_mysql { mysql } else { mariadb });
    let locking = if is_mysql { WRITER } else { READER };
    vec![
        Row::new("Reading", "SELECT * FROM app.orders FOR UPDATE", locking, Refusal::Denied("1142")),
        Row::new(
            "Writing",
            "UPDATE app.orders, app.keyed SET app.orders.note = 'z' WHERE app.orders.id = app.keyed.id",
            WRITER,
            code("1143", "1142"),
        ),
        Row::new("Escalation", "GRANT admins TO CURRENT_USER()", None, code("1227", "1698")),
        Row::new("Escalation", "SET ROLE admins", None, code("3530", "1959")),
        Row::new("Escalation", "SHOW GRANTS FOR admin1", None, code("1142", "1044")),
    ]
}

const READING: [(&str, &str); 8] = [
    ("SELECT * FROM app.orders", ""),
    ("SELECT * FROM app.parts", ""),
    ("SELECT * FROM app.parts PARTITION (low)", ""),
    ("SELECT * FROM app.notes", ""),
    ("SHOW CREATE VIEW app.notes", ""),
    ("SHOW CREATE TABLE app.orders", ""),
    ("EXPLAIN SELECT * FROM app.orders", ""),
    ("SELECT table_name FROM information_schema.tables WHERE table_schema = 'app'", ""),
];

const WRITING: [(&str, &str); 9] = [
    ("INSERT INTO app.orders (id, note) VALUES (2, 'x')", "1142"),
    ("UPDATE app.orders SET note = 'y' WHERE id = 2", "1142"),
    ("DELETE FROM app.orders WHERE id = 2", "1142"),
    ("REPLACE INTO app.keyed (id) VALUES (1)", "1142"),
    ("INSERT INTO app.keyed (id) VALUES (1) ON DUPLICATE KEY UPDATE note = 'again'", "1142"),
    ("INSERT INTO app.parts (id) VALUES (5)", "1142"),
    ("INSERT INTO app.notes (id, note) VALUES (3, 'through the view')", "1142"),
    ("DELETE FROM app.notes WHERE id = 3", "1142"),
    ("ANALYZE TABLE app.orders", "1142"),
];

const CHANGING: [(&str, &str); 19] = [
    ("TRUNCATE app.orders", "1142"),
    ("CREATE TABLE app.made (id INT PRIMARY KEY)", "1142"),
    ("CREATE TABLE app.copied SELECT * FROM app.keyed", "1142"),
    ("CREATE TABLE app.child (id INT, FOREIGN KEY (id) REFERENCES app.keyed (id))", "1142"),
    ("ALTER TABLE app.orders ADD COLUMN extra INT", "1142"),
    ("ALTER TABLE app.orders DROP COLUMN extra", "1142"),
    ("ALTER TABLE app.parts ADD PARTITION (PARTITION high VALUES LESS THAN (200))", "1142"),
    ("ALTER TABLE app.parts TRUNCATE PARTITION low", "1142"),
    ("CREATE INDEX by_note ON app.keyed (note)", "1142"),
    ("DROP INDEX by_note ON app.keyed", "1142"),
    ("RENAME TABLE app.keyed TO app.renamed", "1142"),
    ("RENAME TABLE app.renamed TO app.keyed", "1142"),
    ("CREATE VIEW app.viewed AS SELECT * FROM app.orders", "1142"),
    ("CREATE OR REPLACE VIEW app.viewed AS SELECT id FROM app.orders", "1142"),
    ("DROP VIEW app.viewed", "1142"),
    ("DROP TABLE app.child", "1142"),
    ("DROP TABLE app.copied", "1142"),
    ("DROP TABLE app.made", "1142"),
    ("ALTER DATABASE app DEFAULT CHARACTER SET utf8mb4", "1044"),
];

const ROUTINES: [(&str, &str); 11] = [
    ("CALL app.as_owner()", "1370"),
    ("SELECT app.plain()", "1370"),
    ("CREATE PROCEDURE app.made() SELECT 1", "1044"),
    ("CREATE FUNCTION app.made() RETURNS INT DETERMINISTIC RETURN 1", "1044"),
    ("DROP PROCEDURE app.as_owner", "1370"),
    ("ALTER PROCEDURE app.as_owner SQL SECURITY INVOKER", "1370"),
    ("CREATE TRIGGER app.late BEFORE INSERT ON app.orders FOR EACH ROW SET NEW.note = 'x'", "1142"),
    ("CREATE EVENT app.late ON SCHEDULE EVERY 1 DAY DO SELECT 1", "1044"),
    ("CREATE TEMPORARY TABLE app.made (id INT)", "1044"),
    ("LOCK TABLES app.orders READ", "1044"),
    ("LOCK TABLES app.orders WRITE", "1044"),
];

const ELSEWHERE: [(&str, &str); 18] = [
    ("SELECT * FROM other.orders", "1142"),
    ("INSERT INTO other.orders (id) VALUES (1)", "1142"),
    ("USE other", "1044"),
    ("SHOW TABLES FROM other", "1044"),
    ("CREATE TABLE other.made (id INT)", "1142"),
    ("CREATE DATABASE made", "1044"),
    ("DROP DATABASE other", "1044"),
    ("SELECT * FROM mysql.user", "1142"),
    ("SELECT * FROM mysql.db", "1142"),
    ("SELECT * FROM mysql.tables_priv", "1142"),
    ("UPDATE mysql.user SET plugin = ''", "1142"),
    ("INSERT INTO mysql.db (Host, Db, User) VALUES ('%', 'other', 'hoop_ro')", "1142"),
    ("USE mysql", "1044"),
    ("CREATE TABLE mysql.made (id INT)", "1142"),
    ("CREATE TABLE information_schema.made (id INT)", "1044"),
    ("DROP DATABASE mysql", "1044"),
    ("CREATE VIEW app.stolen AS SELECT * FROM mysql.user", "1142"),
    ("CREATE TABLE app.stolen SELECT * FROM mysql.user", "1142"),
];

const SERVER: [(&str, &str); 14] = [
    ("LOAD DATA INFILE '/etc/passwd' INTO TABLE app.orders", "1045"),
    ("SELECT * FROM app.orders INTO OUTFILE '/tmp/rdsaccess-made'", "1227"),
    ("SELECT 1 INTO DUMPFILE '/tmp/rdsaccess-made'", "1227"),
    ("SET GLOBAL max_connections = 10", "1227"),
    ("SET GLOBAL general_log = OFF", "1227"),
    ("FLUSH PRIVILEGES", "1227"),
    ("FLUSH TABLES", "1227"),
    ("FLUSH TABLES WITH READ LOCK", "1227"),
    ("SHOW ENGINE INNODB STATUS", "1227"),
    ("SHOW BINARY LOGS", "1227"),
    ("INSTALL PLUGIN made SONAME 'made.so'", "1142"),
    ("CREATE FUNCTION made RETURNS INTEGER SONAME 'made.so'", "1044"),
    ("CREATE SERVER made FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'localhost')", "1227"),
    ("SHUTDOWN", "1227"),
];

const ESCALATION: [(&str, &str); 17] = [
    ("CREATE USER made", "1227"),
    ("CREATE ROLE made", "1227"),
    ("DROP USER hoop_rw", "1227"),
    ("RENAME USER hoop_rw TO made", "1227"),
    ("ALTER USER hoop_rw ACCOUNT LOCK", "1227"),
    ("ALTER USER admin1 IDENTIFIED BY 'stolen-Pass1'", "1227"),
    ("ALTER USER CURRENT_USER() REQUIRE NONE", "1227"),
    ("ALTER USER CURRENT_USER() WITH MAX_USER_CONNECTIONS 0", "1227"),
    ("GRANT SELECT ON app.* TO hoop_rw", "1044"),
    ("GRANT INSERT ON app.orders TO CURRENT_USER()", "1142"),
    ("GRANT ALL ON *.* TO CURRENT_USER()", "1045"),
    ("GRANT SELECT ON mysql.* TO CURRENT_USER()", "1044"),
    ("GRANT PROXY ON admin1 TO CURRENT_USER()", "1698"),
    ("REVOKE ALL PRIVILEGES, GRANT OPTION FROM admin1", "1227"),
    ("SET PASSWORD FOR admin1 = 'stolen-Pass1'", "1044"),
    ("SHOW CREATE USER admin1", "1044"),
    ("CREATE DEFINER = admin1@`%` VIEW app.stolen AS SELECT 1", "1142/1227"),
];
