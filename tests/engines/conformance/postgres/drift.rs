//! What can be taken or added by hand on PostgreSQL.

use rdsaccess::access::Access;

use crate::conformance::subject::Drift;

/// Every drift.
pub(super) fn all(_version: u32) -> Vec<Drift> {
    let mut drifts = Vec::new();
    drifts.extend(taken());
    drifts.extend(added());
    drifts.extend(direct());
    drifts.extend(later());
    drifts.extend(login());
    drifts.extend(group());
    drifts
}

const NOTHING: &[&str] = &[];

fn reader(by_hand: &'static [&'static str], seen: &'static [&'static str]) -> Drift {
    Drift { access: Access::ReadOnly, by_hand, seen, opens: NOTHING, closes: NOTHING, after: NOTHING }
}

fn at(access: Access, drift: Drift) -> Drift {
    Drift { access, ..drift }
}

fn closing(closes: &'static [&'static str], drift: Drift) -> Drift {
    Drift { closes, ..drift }
}

fn opening(opens: &'static [&'static str], drift: Drift) -> Drift {
    Drift { opens, ..drift }
}

fn and_then(after: &'static [&'static str], drift: Drift) -> Drift {
    Drift { after, ..drift }
}

/// Rights of the level, kind by kind.
fn taken() -> Vec<Drift> {
    vec![
        closing(
            &["SELECT * FROM sales.orders"],
            reader(&["REVOKE SELECT ON sales.orders FROM $group"], &["missing SELECT on table sales.orders"]),
        ),
        closing(
            &["SELECT * FROM sales.parts"],
            reader(&["REVOKE SELECT ON sales.parts FROM $group"], &["missing SELECT on table sales.parts"]),
        ),
        closing(
            &["SELECT * FROM sales.parts_low"],
            reader(&["REVOKE SELECT ON sales.parts_low FROM $group"], &["missing SELECT on table sales.parts_low"]),
        ),
        closing(
            &["SELECT * FROM sales.notes"],
            reader(&["REVOKE SELECT ON sales.notes FROM $group"], &["missing SELECT on view sales.notes"]),
        ),
        closing(
            &["SELECT * FROM sales.counts"],
            reader(
                &["REVOKE SELECT ON sales.counts FROM $group"],
                &["missing SELECT on materialized view sales.counts"],
            ),
        ),
        closing(
            &["SELECT * FROM sales.remote"],
            reader(&["REVOKE SELECT ON sales.remote FROM $group"], &["missing SELECT on foreign table sales.remote"]),
        ),
        closing(
            &["SELECT last_value FROM sales.numbers"],
            reader(
                &["REVOKE SELECT ON SEQUENCE sales.numbers FROM $group"],
                &["missing SELECT on sequence sales.numbers"],
            ),
        ),
        closing(
            &["SELECT * FROM sales.orders"],
            reader(&["REVOKE USAGE ON SCHEMA sales FROM $group"], &["missing USAGE on schema sales"]),
        ),
        reader(&["REVOKE CONNECT ON DATABASE app FROM $group"], &["missing CONNECT on database app"]),
        closing(
            &["SELECT nextval('sales.numbers')"],
            at(
                Access::ReadWrite,
                reader(
                    &["REVOKE USAGE, UPDATE ON SEQUENCE sales.numbers FROM $group"],
                    &["missing UPDATE, USAGE on sequence sales.numbers"],
                ),
            ),
        ),
        closing(
            &["DELETE FROM sales.parts"],
            at(
                Access::ReadWrite,
                reader(&["REVOKE DELETE ON sales.parts FROM $group"], &["missing DELETE on table sales.parts"]),
            ),
        ),
        closing(
            &["TRUNCATE sales.orders"],
            at(
                Access::Ddl,
                reader(
                    &["REVOKE TRUNCATE, TRIGGER ON sales.orders FROM $group"],
                    &["missing TRUNCATE, TRIGGER on table sales.orders"],
                ),
            ),
        ),
        closing(
            &["CREATE TABLE sales.made (id int)"],
            at(
                Access::Ddl,
                reader(&["REVOKE CREATE ON SCHEMA sales FROM $group"], &["missing CREATE on schema sales"]),
            ),
        ),
    ]
}

/// Rights beyond the level, whoever granted them.
fn added() -> Vec<Drift> {
    vec![
        opening(
            &["INSERT INTO sales.orders (id) VALUES (7)"],
            reader(&["GRANT INSERT ON sales.orders TO $group"], &["extra INSERT on table sales.orders"]),
        ),
        opening(
            &["UPDATE sales.orders SET note = 'x'"],
            reader(&["GRANT UPDATE (note) ON sales.orders TO $group"], &["extra UPDATE on table sales.orders"]),
        ),
        opening(
            &["DELETE FROM sales.notes"],
            reader(&["GRANT DELETE ON sales.notes TO $group"], &["extra DELETE on view sales.notes"]),
        ),
        opening(
            &["TRUNCATE sales.parts_low"],
            reader(&["GRANT TRUNCATE ON sales.parts_low TO $group"], &["extra TRUNCATE on table sales.parts_low"]),
        ),
        opening(
            &["SELECT nextval('sales.numbers')"],
            reader(&["GRANT USAGE ON SEQUENCE sales.numbers TO $group"], &["extra USAGE on sequence sales.numbers"]),
        ),
        opening(
            &["CREATE TABLE sales.made (id int)"],
            reader(&["GRANT CREATE ON SCHEMA sales TO $group"], &["extra CREATE on schema sales"]),
        ),
        opening(
            &["CREATE SCHEMA made"],
            reader(&["GRANT CREATE ON DATABASE app TO $group"], &["extra CREATE on database app"]),
        ),
        reader(&["GRANT CREATE ON DATABASE postgres TO $group"], &["extra CREATE on database postgres"]),
        reader(
            &["GRANT SELECT ON sales.orders TO $group WITH GRANT OPTION"],
            &["extra GRANT OPTION FOR SELECT on table sales.orders"],
        ),
        reader(&["GRANT EXECUTE ON FUNCTION sales.plain() TO $group"], &["extra EXECUTE on function sales.plain()"]),
        opening(
            &["UPDATE sales.parts SET id = 1"],
            and_then(
                &[
                    "REVOKE ALL ON sales.parts FROM middle CASCADE",
                    "REVOKE USAGE ON SCHEMA sales FROM middle",
                    "DROP ROLE middle",
                ],
                reader(
                    &[
                        "SET ROLE admin1",
                        "CREATE ROLE middle",
                        "GRANT USAGE ON SCHEMA sales TO middle",
                        "GRANT UPDATE ON sales.parts TO middle WITH GRANT OPTION",
                        "RESET ROLE",
                        "SET ROLE middle",
                        "GRANT UPDATE ON sales.parts TO $group",
                    ],
                    &["extra UPDATE on table sales.parts"],
                ),
            ),
        ),
    ]
}

/// Rights that the login itself got.
fn direct() -> Vec<Drift> {
    vec![
        opening(
            &["INSERT INTO sales.orders (id) VALUES (7)"],
            reader(&["GRANT INSERT ON sales.orders TO $role"], &["login holds extra INSERT on table sales.orders"]),
        ),
        opening(
            &["UPDATE sales.orders SET note = 'x'"],
            reader(&["GRANT UPDATE (note) ON sales.orders TO $role"], &["login holds extra UPDATE", "sales.orders"]),
        ),
        opening(
            &["SELECT sales.secret()"],
            reader(
                &["GRANT EXECUTE ON FUNCTION sales.secret() TO $role"],
                &["login holds extra EXECUTE on function sales.secret()"],
            ),
        ),
        opening(
            &["CREATE TABLE sales.made (id int)"],
            reader(&["GRANT CREATE ON SCHEMA sales TO $role"], &["login holds extra CREATE on schema sales"]),
        ),
        opening(
            &["CREATE SCHEMA made"],
            reader(&["GRANT CREATE ON DATABASE app TO $role"], &["login holds extra CREATE on database app"]),
        ),
        reader(
            &["ALTER DEFAULT PRIVILEGES FOR ROLE admin1 IN SCHEMA sales GRANT DELETE ON TABLES TO $role"],
            &["login holds extra DELETE for later tables of admin1 on schema sales"],
        ),
    ]
}

/// Default privileges.
fn later() -> Vec<Drift> {
    vec![
        reader(
            &["ALTER DEFAULT PRIVILEGES FOR ROLE admin1 IN SCHEMA sales REVOKE SELECT ON TABLES FROM $group"],
            &["missing SELECT for later tables of admin1 on schema sales"],
        ),
        reader(
            &["ALTER DEFAULT PRIVILEGES FOR ROLE admin1 IN SCHEMA sales REVOKE SELECT ON SEQUENCES FROM $group"],
            &["missing SELECT for later sequences of admin1 on schema sales"],
        ),
        reader(
            &["ALTER DEFAULT PRIVILEGES FOR ROLE admin1 IN SCHEMA sales GRANT DELETE ON TABLES TO $group"],
            &["extra DELETE for later tables of admin1 on schema sales"],
        ),
        reader(
            &["ALTER DEFAULT PRIVILEGES FOR ROLE admin1 GRANT EXECUTE ON FUNCTIONS TO $group"],
            &["extra EXECUTE for later functions of admin1 on schema (all)"],
        ),
    ]
}

/// The login itself.
fn login() -> Vec<Drift> {
    vec![
        closing(&["SELECT 1"], reader(&["ALTER ROLE $role NOLOGIN"], &["login is disabled"])),
        reader(&["ALTER ROLE $role NOINHERIT"], &["login does not inherit the rights of its groups"]),
        opening(&["CREATE ROLE made"], reader(&["ALTER ROLE $role CREATEROLE"], &["has CREATEROLE"])),
        closing(
            &["SELECT 1"],
            reader(
                &["ALTER ROLE $role VALID UNTIL '2001-01-01'"],
                &["login is valid until 2001-01-01T00:00:00Z, not for ever"],
            ),
        ),
        closing(
            &["SELECT 1"],
            reader(
                &["ALTER ROLE $role CONNECTION LIMIT 0"],
                &["login may have 0 sessions, not any number of sessions"],
            ),
        ),
        closing(
            &["SELECT * FROM sales.orders"],
            reader(&["SET ROLE admin1", "REVOKE $group FROM $role"], &["is not a member of $group"]),
        ),
        and_then(
            &["DROP ROLE extra"],
            opening(
                &["SET ROLE extra"],
                reader(&["SET ROLE admin1", "CREATE ROLE extra", "GRANT extra TO $role"], &["is a member of extra"]),
            ),
        ),
        reader(&["SET ROLE admin1", "GRANT $group TO $role WITH ADMIN OPTION"], &["may pass on $group"]),
        reader(&["ALTER ROLE $role IN DATABASE app SET role = 'admin1'"], &["runs as admin1 in database app"]),
        closing(
            &["SELECT 1 / (current_user LIKE 'rdsaccess%')::int"],
            at(Access::Ddl, reader(&["ALTER ROLE $role IN DATABASE app RESET role"], &["does not run as $group"])),
        ),
    ]
}

/// The group behind it.
fn group() -> Vec<Drift> {
    vec![
        reader(&["ALTER ROLE $group LOGIN"], &["group $group has LOGIN"]),
        reader(&["ALTER ROLE $group CREATEROLE"], &["group $group has CREATEROLE"]),
        and_then(
            &["DROP ROLE extra"],
            reader(
                &["SET ROLE admin1", "CREATE ROLE extra", "GRANT extra TO $group"],
                &["group $group is a member of extra"],
            ),
        ),
    ]
}
