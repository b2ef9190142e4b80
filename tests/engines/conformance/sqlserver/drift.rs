//! What can be taken or added by hand on SQL Server.

use rdsaccess::access::Access;

use crate::conformance::subject::Drift;

const NOTHING: &[&str] = &[];

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
pub(super) fn all() -> Vec<Drift> {
    vec![
        closing(
            &["SELECT * FROM dbo.orders"],
            reader(&["ALTER ROLE db_datareader DROP MEMBER $role"], &["is not a member of db_datareader"]),
        ),
        closing(
            &["SELECT * FROM dbo.orders"],
            reader(&["DENY SELECT ON OBJECT::dbo.orders TO $role"], &["is denied SELECT on object dbo.orders"]),
        ),
        closing(
            &["SELECT * FROM dbo.orders"],
            reader(
                &["ALTER ROLE db_denydatareader ADD MEMBER $role"],
                &["is a member of db_denydatareader beyond the level"],
            ),
        ),
        closing(&["SELECT * FROM dbo.orders"], reader(&["DENY CONNECT TO $role"], &["missing CONNECT"])),
        closing(&["SELECT * FROM dbo.orders"], reader(&["DROP USER $role"], &["user is missing"])),
        closing(&["SELECT * FROM dbo.orders"], reader(&["ALTER LOGIN $role DISABLE"], &["login is disabled"])),
        closing(
            &["SELECT * FROM dbo.orders"],
            reader(&["DENY CONNECT SQL TO $role AS $admin"], &["missing CONNECT SQL"]),
        ),
        opening(
            &["INSERT INTO dbo.orders (id) VALUES (7)"],
            reader(&["GRANT INSERT ON SCHEMA::dbo TO $role"], &["holds INSERT beyond the level on schema dbo"]),
        ),
        opening(
            &["DELETE FROM dbo.orders"],
            reader(&["ALTER ROLE db_owner ADD MEMBER $role"], &["is a member of db_owner beyond the level"]),
        ),
        opening(&["EXEC dbo.as_owner"], reader(&["GRANT EXECUTE TO $role"], &["holds EXECUTE beyond the level"])),
        opening(
            &["UPDATE dbo.orders SET note = 'x'"],
            Drift {
                after: &["DROP ROLE team"],
                ..reader(
                    &[
                        "CREATE ROLE team",
                        "GRANT UPDATE ON OBJECT::dbo.orders TO team",
                        "ALTER ROLE team ADD MEMBER $role",
                    ],
                    &["is a member of team beyond the level"],
                )
            },
        ),
        closing(
            &["INSERT INTO dbo.orders (id) VALUES (7)"],
            Drift {
                access: Access::ReadWrite,
                ..reader(&["ALTER ROLE db_datawriter DROP MEMBER $role"], &["is not a member of db_datawriter"])
            },
        ),
        closing(
            &["TRUNCATE TABLE dbo.orders"],
            Drift {
                access: Access::Ddl,
                ..reader(&["ALTER ROLE db_ddladmin DROP MEMBER $role"], &["is not a member of db_ddladmin"])
            },
        ),
        reader(&["GRANT SELECT ON SCHEMA::dbo TO $role WITH GRANT OPTION"], &["may pass on SELECT on schema dbo"]),
        reader(&["ALTER USER $role WITH NAME = somebody"], &["user is named somebody"]),
        reader(&["ALTER LOGIN $role WITH CHECK_EXPIRATION = ON"], &["password expiration is on"]),
        reader(
            &["ALTER SERVER ROLE securityadmin ADD MEMBER $role"],
            &["is a member of the server role securityadmin"],
        ),
        reader(&["GRANT VIEW SERVER STATE TO $role AS $admin"], &["holds VIEW SERVER STATE on the server"]),
        Drift {
            access: Access::Ddl,
            after: &["DROP ROLE admins"],
            ..reader(
                &["CREATE ROLE admins", "GRANT ALTER ON ROLE::admins TO $role"],
                &["holds ALTER beyond the level on role admins"],
            )
        },
        opening(
            &["INSERT INTO dbo.orders (id) VALUES (7)"],
            Drift {
                after: &["DROP USER passer"],
                ..reader(
                    &[
                        "CREATE USER passer WITHOUT LOGIN",
                        "GRANT INSERT ON SCHEMA::dbo TO passer WITH GRANT OPTION",
                        "GRANT INSERT ON SCHEMA::dbo TO $role AS passer",
                    ],
                    &["holds INSERT beyond the level on schema dbo"],
                )
            },
        ),
    ]
}
