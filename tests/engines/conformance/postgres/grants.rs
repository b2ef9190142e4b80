//! Single rights on PostgreSQL.

use rdsaccess::access::{Grant, ObjectKind};

use crate::conformance::grant;
use crate::conformance::subject::Beside;

/// One of each kind, by name and for all objects.
pub(super) fn all() -> Vec<Beside> {
    vec![
        Beside {
            grant: grant(ObjectKind::Table, "sales", &["orders", "notes"], &["INSERT", "TRIGGER"]),
            opens: &[
                "INSERT INTO sales.orders (id) VALUES (7)",
                "INSERT INTO sales.notes (id) VALUES (7)",
                "CREATE TRIGGER late BEFORE INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.touch()",
            ],
            stays: &["UPDATE sales.orders SET note = 'x'", "INSERT INTO sales.keyed (id) VALUES (7)"],
            taken: &["REVOKE INSERT, TRIGGER ON sales.orders FROM $role"],
            missing: "INSERT, TRIGGER on table sales.orders",
        },
        Beside {
            grant: grant(ObjectKind::Table, "second", &[], &["DELETE"]),
            opens: &["DELETE FROM second.one", "DELETE FROM second.two"],
            stays: &["DELETE FROM sales.orders", "INSERT INTO second.one VALUES (1)", "TRUNCATE second.one"],
            taken: &["REVOKE DELETE ON second.one, second.two FROM $role"],
            missing: "DELETE on 2 tables: second.one, second.two",
        },
        Beside {
            grant: grant(ObjectKind::Sequence, "sales", &["numbers"], &["USAGE"]),
            opens: &["SELECT nextval('sales.numbers')"],
            stays: &["SELECT setval('sales.numbers', 5)", "SELECT nextval('sales.serials_id_seq')"],
            taken: &["REVOKE USAGE ON SEQUENCE sales.numbers FROM $role"],
            missing: "USAGE on sequence sales.numbers",
        },
        Beside {
            grant: grant(ObjectKind::Sequence, "sales", &[], &["UPDATE"]),
            opens: &["SELECT setval('sales.numbers', 5)", "SELECT nextval('sales.serials_id_seq')"],
            stays: &["INSERT INTO sales.serials (note) VALUES ('x')"],
            taken: &["REVOKE UPDATE ON ALL SEQUENCES IN SCHEMA sales FROM $role"],
            missing: "UPDATE on 2 sequences: sales.numbers, sales.serials_id_seq",
        },
        Beside {
            grant: grant(ObjectKind::Function, "sales", &["secret"], &["EXECUTE"]),
            opens: &["SELECT sales.secret()"],
            stays: &["DROP FUNCTION sales.secret()"],
            taken: &["REVOKE EXECUTE ON FUNCTION sales.secret() FROM $role"],
            missing: "EXECUTE on function sales.secret()",
        },
        Beside {
            grant: grant(ObjectKind::Function, "second", &[], &["EXECUTE"]),
            opens: &["SELECT second.shut(), second.shut(1)", "CALL second.work()"],
            stays: &["SELECT sales.secret()"],
            taken: &["REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA second FROM $role"],
            missing: "EXECUTE on",
        },
        Beside {
            grant: grant(ObjectKind::Schema, "sales", &[], &["CREATE"]),
            opens: &["CREATE TABLE sales.made (id int)"],
            stays: &["DROP TABLE sales.orders", "CREATE TABLE second.made (id int)"],
            taken: &["REVOKE CREATE ON SCHEMA sales FROM $role"],
            missing: "CREATE on schema sales",
        },
        Beside {
            grant: grant(ObjectKind::Database, "", &[], &["CREATE"]),
            opens: &["CREATE SCHEMA made"],
            stays: &["CREATE TABLE sales.made (id int)", "DROP SCHEMA sales"],
            taken: &["REVOKE CREATE ON DATABASE app FROM $role"],
            missing: "CREATE on database app",
        },
    ]
}

/// What no version takes.
pub(super) fn refused() -> Vec<(Grant, &'static str)> {
    vec![
        (grant(ObjectKind::Table, "sales", &["orders"], &["EXECUTE"]), "EXECUTE"),
        (grant(ObjectKind::Table, "sales", &["orders"], &["ALL"]), "ALL"),
        (grant(ObjectKind::Table, "sales", &["orders"], &["GRANT OPTION"]), "GRANT OPTION"),
        (grant(ObjectKind::Table, "sales", &["orders"], &[]), "privilege"),
        (grant(ObjectKind::Table, "", &["orders"], &["SELECT"]), "schema"),
        (grant(ObjectKind::Database, "sales", &[], &["CONNECT"]), "schema"),
        (grant(ObjectKind::Schema, "sales", &["orders"], &["USAGE"]), "objects"),
        (grant(ObjectKind::Table, "pg_catalog", &["pg_authid"], &["SELECT"]), "pg_catalog"),
        (grant(ObjectKind::Schema, "information_schema", &[], &["CREATE"]), "information_schema"),
    ]
}
