//! Single rights on SQL Server.

use rdsaccess::access::{Grant, ObjectKind};

use crate::conformance::grant;
use crate::conformance::subject::Beside;

/// One of each kind, by name and for all objects.
pub(super) fn all() -> Vec<Beside> {
    vec![
        Beside {
            grant: grant(ObjectKind::Table, "dbo", &["orders", "notes"], &["INSERT"]),
            opens: &["INSERT INTO dbo.orders (id) VALUES (7)", "INSERT INTO dbo.notes (id) VALUES (7)"],
            stays: &["UPDATE dbo.orders SET note = 'x'", "INSERT INTO dbo.keyed (id) VALUES (7)"],
            taken: &["REVOKE INSERT ON OBJECT::dbo.orders FROM $role", "REVOKE INSERT ON OBJECT::dbo.notes FROM $role"],
            missing: "missing INSERT on 2 objects: dbo.notes, dbo.orders",
        },
        Beside {
            grant: grant(ObjectKind::Table, "dbo", &[], &["DELETE"]),
            opens: &["DELETE FROM dbo.keyed"],
            stays: &["INSERT INTO dbo.keyed (id) VALUES (5)", "TRUNCATE TABLE dbo.keyed"],
            taken: &["REVOKE DELETE ON SCHEMA::dbo FROM $role"],
            missing: "missing DELETE on schema dbo",
        },
        Beside {
            grant: grant(ObjectKind::Function, "dbo", &["as_owner"], &["EXECUTE"]),
            opens: &["EXEC dbo.as_owner"],
            stays: &["EXEC dbo.plain"],
            taken: &["REVOKE EXECUTE ON OBJECT::dbo.as_owner FROM $role"],
            missing: "missing EXECUTE on object dbo.as_owner",
        },
        Beside {
            grant: grant(ObjectKind::Function, "dbo", &[], &["EXECUTE"]),
            opens: &["EXEC dbo.as_owner", "EXEC dbo.plain"],
            stays: &["INSERT INTO dbo.keyed (id) VALUES (5)"],
            taken: &["REVOKE EXECUTE ON SCHEMA::dbo FROM $role"],
            missing: "missing EXECUTE on schema dbo",
        },
        Beside {
            grant: grant(ObjectKind::Schema, "dbo", &[], &["UPDATE"]),
            opens: &["UPDATE dbo.orders SET note = 'x'"],
            stays: &["DELETE FROM dbo.orders"],
            taken: &["REVOKE UPDATE ON SCHEMA::dbo FROM $role"],
            missing: "missing UPDATE on schema dbo",
        },
        Beside {
            grant: grant(ObjectKind::Database, "", &[], &["EXECUTE"]),
            opens: &["EXEC dbo.as_owner"],
            stays: &["CREATE TABLE dbo.made (id INT)"],
            taken: &["REVOKE EXECUTE FROM $role"],
            missing: "missing EXECUTE",
        },
    ]
}

/// What the server does not take, or what would open more than it says.
pub(super) fn refused() -> Vec<(Grant, &'static str)> {
    vec![
        (grant(ObjectKind::Table, "dbo", &["orders"], &["EXECUTE"]), "EXECUTE"),
        (grant(ObjectKind::Table, "dbo", &["orders"], &["CONTROL"]), "CONTROL"),
        (grant(ObjectKind::Database, "", &[], &["CONTROL"]), "CONTROL"),
        (grant(ObjectKind::Database, "", &[], &["ALTER ANY USER"]), "ALTER ANY USER"),
        (grant(ObjectKind::Schema, "dbo", &[], &["TAKE OWNERSHIP"]), "TAKE OWNERSHIP"),
        (grant(ObjectKind::Sequence, "dbo", &[], &["UPDATE"]), "objects"),
        (grant(ObjectKind::Schema, "", &[], &["SELECT"]), "schema"),
        (grant(ObjectKind::Table, "", &["orders"], &["SELECT"]), "schema"),
        (grant(ObjectKind::Table, "dbo", &["orders"], &[]), "privileges"),
    ]
}
