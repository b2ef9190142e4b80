//! What can be taken or added by hand on MySQL and MariaDB.

use rdsaccess::access::Access;

use crate::conformance::subject::Drift;

const NOTHING: &[&str] = &[];
/// On MariaDB a role is taken away only by who may pass it on.
const ROLE_OF_MARIADB: &[&str] = &[
    "CREATE ROLE admins2",
    "GRANT admins2 TO admin1 WITH ADMIN OPTION",
    "GRANT INSERT ON app.* TO admins2",
    "GRANT admins2 TO $role",
];
const ROLE_OF_MYSQL: &[&str] = &["CREATE ROLE admins2", "GRANT INSERT ON app.* TO admins2", "GRANT admins2 TO $role"];

fn reader(by_hand: &'static [&'static str], seen: &'static [&'static str]) -> Drift {
    Drift { access: Access::ReadOnly, by_hand, seen, opens: NOTHING, closes: NOTHING, after: NOTHING }
}

fn closing(closes: &'static [&'static str], drift: Drift) -> Drift {
    Drift { closes, ..drift }
}

fn opening(opens: &'static [&'static str], drift: Drift) -> Drift {
    Drift { opens, ..drift }
}

/// Every drift.
pub(super) fn all(is_mysql: bool) -> Vec<Drift> {
    let mut drifts = rights();
    drifts.extend(account(is_mysql));
    drifts
}

fn rights() -> Vec<Drift> {
    vec![
        closing(
            &["SELECT * FROM app.orders", "SELECT * FROM app.notes"],
            reader(&["REVOKE SELECT ON app.* FROM $role"], &["missing SELECT"]),
        ),
        closing(
            &["SHOW CREATE VIEW app.notes"],
            reader(&["REVOKE SHOW VIEW ON app.* FROM $role"], &["missing SHOW VIEW"]),
        ),
        closing(
            &["DELETE FROM app.parts"],
            Drift {
                access: Access::ReadWrite,
                ..reader(&["REVOKE DELETE, INSERT ON app.* FROM $role"], &["missing DELETE, INSERT"])
            },
        ),
        closing(
            &["CREATE VIEW app.made AS SELECT 1"],
            Drift {
                access: Access::Ddl,
                after: &["DROP VIEW app.made"],
                ..reader(&["REVOKE CREATE VIEW ON app.* FROM $role"], &["missing CREATE VIEW"])
            },
        ),
        opening(
            &["INSERT INTO app.orders (id) VALUES (7)"],
            reader(&["GRANT INSERT ON app.* TO $role"], &["holds INSERT beyond the level"]),
        ),
        opening(
            &["DELETE FROM app.parts"],
            reader(&["GRANT DELETE ON app.parts TO $role"], &["holds DELETE beyond the level on table parts"]),
        ),
        opening(
            &["UPDATE app.orders SET note = 'x'"],
            reader(
                &["GRANT UPDATE (note) ON app.orders TO $role"],
                &["holds UPDATE beyond the level on column orders.note"],
            ),
        ),
        opening(
            &["CALL app.as_owner()"],
            reader(
                &["GRANT EXECUTE ON PROCEDURE app.as_owner TO $role"],
                &["holds EXECUTE beyond the level on procedure as_owner"],
            ),
        ),
        opening(
            &["SELECT app.plain()"],
            reader(
                &["GRANT EXECUTE ON FUNCTION app.plain TO $role"],
                &["holds EXECUTE beyond the level on function plain"],
            ),
        ),
        opening(
            &["CREATE TEMPORARY TABLE app.made (id INT)"],
            reader(
                &["GRANT CREATE TEMPORARY TABLES ON app.* TO $role"],
                &["holds CREATE TEMPORARY TABLES beyond the level"],
            ),
        ),
        reader(&["GRANT GRANT OPTION ON app.* TO $role"], &["holds GRANT OPTION beyond the level"]),
        opening(
            &["SELECT * FROM other.orders"],
            reader(
                &["GRANT SELECT, SHOW VIEW ON other.* TO $role"],
                &["holds SELECT, SHOW VIEW on other, outside its databases"],
            ),
        ),
        reader(
            &["GRANT SELECT, SHOW VIEW ON `ap%`.* TO $role"],
            &["is granted as ap%, a pattern that can open other databases"],
        ),
        opening(
            &["SELECT * FROM mysql.user", "SELECT * FROM other.orders"],
            reader(&["GRANT SELECT ON *.* TO $role"], &["holds SELECT on all databases"]),
        ),
        opening(
            &["SHOW ENGINE INNODB STATUS"],
            reader(&["GRANT PROCESS ON *.* TO $role"], &["holds PROCESS on all databases"]),
        ),
        opening(
            &["CREATE USER made"],
            Drift {
                after: &["DROP USER made"],
                ..reader(
                    &["GRANT CREATE USER ON *.* TO $role WITH GRANT OPTION"],
                    &["holds CREATE USER, GRANT OPTION on all databases"],
                )
            },
        ),
    ]
}

fn account(is_mysql: bool) -> Vec<Drift> {
    vec![
        closing(&["SELECT 1"], reader(&["ALTER USER $role ACCOUNT LOCK"], &["login is locked"])),
        reader(&["ALTER USER $role REQUIRE NONE"], &["login without TLS is allowed"]),
        Drift {
            after: &["DROP ROLE admins2"],
            ..opening(
                &["SET ROLE admins2"],
                reader(if is_mysql { ROLE_OF_MYSQL } else { ROLE_OF_MARIADB }, &["is a member of admins2"]),
            )
        },
    ]
}
