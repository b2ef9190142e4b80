//! What is tried on SQL Server. Every row runs by itself; those of `ddl` clean up behind themselves.

use rdsaccess::access::Access;

use crate::conformance::subject::{Refusal, Row};

const READER: Option<Access> = Some(Access::ReadOnly);
const WRITER: Option<Access> = Some(Access::ReadWrite);
const DDL: Option<Access> = Some(Access::Ddl);

/// Further objects of the administrator, each in a batch of its own.
pub(super) const OWNED: [&str; 4] = [
    "CREATE TABLE dbo.keyed (id INT, note VARCHAR(40))",
    "CREATE VIEW dbo.notes AS SELECT id, note FROM dbo.orders",
    "CREATE PROCEDURE dbo.as_owner AS INSERT INTO dbo.orders (id) VALUES (9)",
    "CREATE PROCEDURE dbo.plain AS SELECT 1",
];

/// The whole proof. The codes are those of the reference; none was seen on a server yet.
pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |area, from, statements: &[(&str, &'static str)]| {
        rows.extend(statements.iter().map(|(sql, code)| Row::new(area, *sql, from, Refusal::Denied(code))));
    };
    add("Reading", READER, &READING);
    add("Writing", WRITER, &WRITING);
    add("Changing the schema", DDL, &CHANGING);
    add("Routines", None, &ROUTINES);
    add("Other databases and the server", None, &ELSEWHERE);
    add("Escalation", None, &ESCALATION);
    rows
}

const READING: [(&str, &str); 4] = [
    ("SELECT * FROM dbo.orders", ""),
    ("SELECT * FROM dbo.notes", ""),
    ("SELECT name FROM sys.objects", ""),
    ("SELECT 1", ""),
];

const WRITING: [(&str, &str); 5] = [
    ("INSERT INTO dbo.orders (id, note) VALUES (2, 'x')", "229"),
    ("UPDATE dbo.orders SET note = 'y' WHERE id = 2", "229"),
    ("DELETE FROM dbo.orders WHERE id = 2", "229"),
    ("INSERT INTO dbo.notes (id, note) VALUES (3, 'through the view')", "229"),
    ("DELETE FROM dbo.notes WHERE id = 3", "229"),
];

const CHANGING: [(&str, &str); 10] = [
    ("TRUNCATE TABLE dbo.orders", "1088"),
    ("CREATE TABLE dbo.made (id INT PRIMARY KEY)", "262"),
    ("ALTER TABLE dbo.orders ADD extra INT", "1088"),
    ("ALTER TABLE dbo.orders DROP COLUMN extra", "1088"),
    ("CREATE INDEX by_note ON dbo.keyed (note)", "1088"),
    ("CREATE VIEW dbo.viewed AS SELECT id FROM dbo.orders", "262"),
    ("DROP VIEW dbo.viewed", "3701"),
    ("CREATE PROCEDURE dbo.made_too AS SELECT 1", "262"),
    ("DROP PROCEDURE dbo.made_too", "3701"),
    ("DROP TABLE dbo.made", "3701"),
];

const ROUTINES: [(&str, &str); 2] = [("EXEC dbo.as_owner", "229"), ("EXEC dbo.plain", "229")];

const ELSEWHERE: [(&str, &str); 5] = [
    ("SELECT * FROM other.dbo.orders", "916"),
    ("CREATE DATABASE made", "262"),
    ("SELECT session_id FROM sys.dm_os_threads", "300"),
    ("KILL 1", "6102"),
    ("ALTER DATABASE app SET READ_ONLY", "5011"),
];

const ESCALATION: [(&str, &str); 10] = [
    ("CREATE LOGIN made WITH PASSWORD = N'Made-pass1'", "15247"),
    ("ALTER LOGIN hoop_rw DISABLE", "15151"),
    ("DROP LOGIN hoop_rw", "15151"),
    ("CREATE USER made WITHOUT LOGIN", "15247"),
    ("ALTER ROLE db_owner ADD MEMBER hoop_ro", "15151"),
    ("ALTER SERVER ROLE securityadmin ADD MEMBER hoop_ro", "15151"),
    ("GRANT SELECT ON OBJECT::dbo.orders TO public", "15151"),
    ("GRANT CONTROL TO hoop_ro", "15151/4613"),
    ("ALTER AUTHORIZATION ON DATABASE::app TO hoop_ddl", "15151/15247"),
    ("EXECUTE AS USER = 'dbo'", "15517"),
];
