//! Single rights on MySQL and MariaDB.

use rdsaccess::access::{Grant, ObjectKind};

use crate::conformance::grant;
use crate::conformance::subject::Beside;

/// One of each kind, by name and for all objects.
pub(super) fn all() -> Vec<Beside> {
    vec![
        Beside {
            grant: grant(ObjectKind::Table, "", &["orders", "notes"], &["INSERT"]),
            opens: &["INSERT INTO app.orders (id) VALUES (7)", "INSERT INTO app.notes (id) VALUES (7)"],
            stays: &["UPDATE app.orders SET note = 'x'", "INSERT INTO app.keyed (id) VALUES (7)"],
            taken: &["REVOKE INSERT ON app.orders FROM $role", "REVOKE INSERT ON app.notes FROM $role"],
            missing: "missing INSERT on 2 tables: notes, orders",
        },
        Beside {
            grant: grant(ObjectKind::Table, "", &[], &["DELETE"]),
            opens: &["DELETE FROM app.parts", "DELETE FROM app.keyed"],
            stays: &["INSERT INTO app.parts (id) VALUES (5)", "DELETE FROM other.orders", "TRUNCATE app.parts"],
            taken: &["REVOKE DELETE ON app.* FROM $role"],
            missing: "missing DELETE",
        },
        Beside {
            grant: grant(ObjectKind::Function, "", &["as_owner"], &["EXECUTE"]),
            opens: &["CALL app.as_owner()"],
            stays: &["SELECT app.plain()", "DROP PROCEDURE app.as_owner"],
            taken: &["REVOKE EXECUTE ON PROCEDURE app.as_owner FROM $role"],
            missing: "missing EXECUTE on procedure as_owner",
        },
        Beside {
            grant: grant(ObjectKind::Function, "", &[], &["EXECUTE"]),
            opens: &["CALL app.as_owner()", "SELECT app.plain()"],
            stays: &["DROP FUNCTION app.plain"],
            taken: &["REVOKE EXECUTE ON app.* FROM $role"],
            missing: "missing EXECUTE",
        },
        Beside {
            grant: grant(ObjectKind::Database, "", &[], &["CREATE TEMPORARY TABLES", "LOCK TABLES"]),
            opens: &["CREATE TEMPORARY TABLE app.made (id INT)", "LOCK TABLES app.orders READ"],
            stays: &["CREATE TABLE app.lasting (id INT)", "LOCK TABLES other.orders READ"],
            taken: &["REVOKE CREATE TEMPORARY TABLES, LOCK TABLES ON app.* FROM $role"],
            missing: "missing CREATE TEMPORARY TABLES, LOCK TABLES",
        },
    ]
}

/// What neither server takes, or no role may hold.
pub(super) fn refused() -> Vec<(Grant, &'static str)> {
    let mut system = grant(ObjectKind::Table, "", &["user"], &["SELECT"]);
    system.database = "mysql".parse().unwrap();
    vec![
        (grant(ObjectKind::Table, "", &["orders"], &["EXECUTE"]), "EXECUTE"),
        (grant(ObjectKind::Table, "", &["orders"], &["ALL"]), "ALL"),
        (grant(ObjectKind::Table, "", &["orders"], &["GRANT OPTION"]), "GRANT OPTION"),
        (grant(ObjectKind::Database, "", &[], &["SUPER"]), "SUPER"),
        (grant(ObjectKind::Database, "", &[], &["FILE"]), "FILE"),
        (grant(ObjectKind::Database, "", &[], &["PROCESS"]), "PROCESS"),
        (grant(ObjectKind::Table, "", &["orders"], &[]), "privileges"),
        (grant(ObjectKind::Table, "app", &["orders"], &["SELECT"]), "schema"),
        (grant(ObjectKind::Schema, "", &[], &["SELECT"]), "schema"),
        (grant(ObjectKind::Sequence, "", &["numbers"], &["SELECT"]), "sequence"),
        (grant(ObjectKind::Database, "", &["orders"], &["SELECT"]), "objects"),
        (system, "mysql"),
    ]
}
