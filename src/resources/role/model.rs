//! Arguments and results of `rdsaccess_role`.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Access, Arn, DatabaseName, EngineKind, HostPattern, RoleName, SchemaName, SecretRef};
use crate::model;
use crate::schema::Timeouts;

model! {
    /// A role of a database with one of three levels of access, and its password in a secret store.
    ///
    /// `read_only` reads, `read_write` also changes rows, `ddl` also changes the schema; each adds to the one before. A
    /// level covers every database that is not a system database, or the chosen `databases`, existing objects and later
    /// ones. What is missing shows up in `coverage` and is repaired by apply; what apply cannot repair is listed in
    /// `uncovered`.
    ///
    /// ~> `ddl` is trusted by design: what it defines (views, triggers, functions) runs when others use the tables, and a
    /// trigger runs with the rights of whoever changes the rows. `read_only` and `read_write` cannot escalate.
    /// On SQL Server what a `ddl` role makes belongs to the owner of its schema, never to the role.
    ///
    /// The password is generated, stored as pending, set in the database, proven by a login and then promoted. It never
    /// reaches state, plan or log.
    pub struct Role {
        /// ARN of the instance, or of the cluster of a writer.
        target_arn: Arn = required().replace(),
        /// Level of access.
        access: Access = required(),
        /// Name of the login.
        name: RoleName = optional().computed().replace().default_words("`hoop_ro`, `hoop_rw` or `hoop_ddl`"),
        /// MySQL and MariaDB: the host part of the account.
        host: HostPattern = optional().computed().replace().default_words("`%`"),
        /// How the role logs in.
        auth: String = optional().computed().one_of(&["password"]).defaults_to("password"),
        /// Databases to cover; all but the system databases when left out.
        databases: BTreeSet<DatabaseName> = optional().not_empty(),
        /// PostgreSQL: schemas to cover; all but the system schemas when left out.
        schemas: BTreeSet<SchemaName> = optional().not_empty(),
        /// PostgreSQL, `ddl`: owners whose objects the role may alter and drop besides those of other `ddl` roles.
        owners: BTreeSet<RoleName> = optional().not_empty(),
        /// Who makes and changes the role.
        admin: Admin = optional(),
        /// What destroy does: `drop` removes the role and schedules its secret for deletion, `disable` takes its rights
        /// and its login but keeps role and secret, `retain` leaves everything.
        on_destroy: String = optional().computed().one_of(&["drop", "disable", "retain"]).defaults_to("drop"),
        /// PostgreSQL: who receives the objects that the role or its group owns. Objects are never dropped.
        reassign_owned_to: RoleName = optional(),
        /// Whether destroy ends the open sessions of the role.
        end_sessions: String = optional().computed().one_of(&["on_destroy", "never"]).defaults_to("on_destroy"),
        /// How long the calls may take.
        timeouts: Timeouts = optional(),
        /// Name of the login, for `role` of `rdsaccess_connection`.
        username: String = computed(),
        /// Host name of the database.
        endpoint: String = computed(),
        /// TCP port of the database.
        port: i64 = computed(),
        /// Engine of the database.
        engine: EngineKind = computed(),
        /// Database that a client should connect to first.
        default_database: String = computed(),
        /// Where the password is stored: the ARN of the secret.
        secret_ref: SecretRef = computed(),
        /// Version of the secret that holds the password.
        secret_version: String = computed(),
        /// When the password was set, RFC 3339.
        rotated_at: String = computed(),
        /// Database -> `complete`, or what is missing and apply repairs.
        coverage: BTreeMap<String, String> = computed(),
        /// Database -> what apply cannot repair, and why.
        uncovered: BTreeMap<String, String> = computed(),
        /// `ok`, or what is wrong with the stored password.
        credential: String = computed(),
        /// Resource id of the database; null when the database is gone, and then the role is replaced.
        target_resource_id: String = computed(),
    }
}

model! {
    /// The administrator that makes and changes the role.
    pub struct Admin {
        /// Secret with the administrator's user name and password: `rdsaccess_master_credential.<name>.secret_ref`, or
        /// the secret that RDS manages. Without it the secret that RDS manages is used, then the one that
        /// `rdsaccess_master_credential` stores at its default place.
        secret_ref: SecretRef = required(),
    }
}

model! {
    /// What names a role for ever.
    pub struct RoleIdentity {
        /// ARN of the database.
        target_arn: Arn = required(),
        /// Name of the login.
        name: RoleName = required(),
    }
}
