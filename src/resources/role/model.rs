//! Arguments and results of `rdsaccess_role`.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{
    Access, Arn, Auth, DatabaseName, EngineKind, Expiry, Grant, HostPattern, Identifier, ObjectKind, ObjectName,
    PrivilegeName, RoleName, SchemaName, Secret, SecretRef, Span,
};
use crate::context::Administrator;
use crate::model;
use crate::resources::rotation::{Schedule, is_an_age};
use crate::schema::{Attr, Timeouts};
use crate::store::{ONE_STORE, StoreBlock, StoreSettings, is_one_store};

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
    /// The password is generated, or given as `password_wo`; it is stored as pending, set in the database, proven by a
    /// login and then promoted. It never reaches state, plan or log. With `auth = "iam"` there is no password at all,
    /// neither in a store nor on the account.
    ///
    /// `valid_until`, `connection_limit` and `auth` hold against changes by hand as the level does: a difference stands in
    /// `coverage` and is repaired. Rights that the login holds directly beyond its level and its `grants` are taken from it;
    /// rights that come through PUBLIC stay.
    ///
    /// An import takes over a login for databases and no more than that. An account that administers, such as one with
    /// `CREATEROLE`, rights on every database or membership in a role that has them, is refused, and the error names the
    /// statements that make it a plain login first. What somebody adds to a role later is drift, and repaired.
    ///
    /// An import does not know the configuration: the plan after it fills in `store`, `admin` and the like. Where the
    /// place that `store` names holds the password of the role, that plan names its secret as `secret_ref`, and apply
    /// keeps the password once a login has proven it.
    ///
    /// ~> On PostgreSQL everybody may execute a new function, and one that is `SECURITY DEFINER` runs with the rights of its
    /// owner: through it a `read_only` role writes whatever the function writes. Take such functions from everybody with
    /// `REVOKE EXECUTE ON FUNCTION ... FROM PUBLIC`, and give them back through `grants` where they are meant.
    pub struct Role {
        /// ARN of the instance, or of the cluster of a writer.
        target_arn: Arn = required().replace(),
        /// Level of access.
        access: Access = required(),
        /// Name of the login.
        name: RoleName = optional().computed().replace().default_words("`hoop_ro`, `hoop_rw` or `hoop_ddl`"),
        /// MySQL and MariaDB: the host part of the account.
        host: HostPattern = optional().computed().replace().default_words("`%`"),
        /// How the role logs in: with a stored password, or with tokens of IAM database authentication (not on SQL Server;
        /// the instance must have it on). A change is made in place and keeps all rights; from `password` to `iam` the
        /// password is removed and its secret is scheduled for deletion (deleted at once in Vault), the other way a new
        /// password is made.
        auth: Auth = optional().computed().defaults_to("password"),
        /// Databases to cover; all but the system databases when left out.
        databases: BTreeSet<DatabaseName> = optional().not_empty(),
        /// PostgreSQL: schemas to cover; all but the system schemas when left out.
        schemas: BTreeSet<SchemaName> = optional().not_empty(),
        /// PostgreSQL, `ddl`: owners whose objects the role may alter and drop besides those of other `ddl` roles.
        owners: BTreeSet<RoleName> = optional().not_empty(),
        /// Single rights beside the level. They may be in covered databases only, and PostgreSQL has none with
        /// `access = "ddl"`, because such a login runs as its group.
        grants: BTreeSet<GrantBlock> = optional().not_empty(),
        /// PostgreSQL: the moment from which on the role cannot log in (RFC 3339, whole seconds). Without it there is no
        /// end.
        valid_until: Expiry = optional(),
        /// PostgreSQL, MySQL, MariaDB: how many sessions the role may have at once. Without it there is no limit of its
        /// own.
        connection_limit: i64 = optional().between(1, 100_000),
        /// Where the secret lives; the `store` of the provider block when it is left out. It replaces that block as a
        /// whole. A change takes effect with the next password; the secret at the old place is then scheduled for
        /// deletion (in Vault it is deleted at once: version 1 of the engine keeps nothing), and when that fails the next
        /// plan repeats it. With the same name the secret stays: see `kms_key_id`, `replica_regions` and `tags` for what
        /// is not taken back from it.
        store: StoreBlock = optional().check(ONE_STORE, is_one_store),
        /// The password to set, instead of a generated one. It is stored, proven and promoted as every other, and never
        /// kept by Terraform: an ephemeral value fits. Needs `password_wo_version`; excludes `rotation`.
        password_wo: Secret<String> = optional().write_only(),
        /// Any text or number. `password_wo` is set when this is new or differs, and when the stored password no longer
        /// works; another value of `password_wo` alone changes nothing. Taking both out keeps the password.
        password_wo_version: String = optional().not_empty(),
        /// When and how the password is replaced.
        rotation: Rotation = optional(),
        /// Who makes and changes the role.
        admin: Admin = optional(),
        /// What destroy does: `drop` removes the role and schedules its secret for deletion (Vault has no schedule: version
        /// 2 of the engine soft-deletes it at once, version 1 erases it for good), `disable` takes its rights and its
        /// login but keeps role and secret, `retain` leaves everything.
        on_destroy: String = optional().computed().one_of(&["drop", "disable", "retain"]).defaults_to("drop"),
        /// PostgreSQL: who receives the objects that the role or its group owns. Objects are never dropped.
        reassign_owned_to: RoleName = optional(),
        /// Whether open sessions of the role are ended: by destroy, or also (`always`) whenever an apply takes rights away,
        /// repairs rights that somebody added, changes how the role logs in, or replaces its password. Engines check rights
        /// and passwords at different moments; without this an open session may go on with what it had.
        end_sessions: String = optional().computed().one_of(&["on_destroy", "always", "never"]).defaults_to("on_destroy"),
        /// How long the calls may take.
        timeouts: Timeouts = optional(),
        /// Name of the login, for `role` of `rdsaccess_connection`. With `two_users` it is the one whose turn it is.
        username: String = computed(),
        /// Host name of the database.
        endpoint: String = computed(),
        /// TCP port of the database.
        port: i64 = computed(),
        /// Engine of the database.
        engine: EngineKind = computed(),
        /// Database that a client should connect to first: the first covered one by name (on PostgreSQL `postgres` comes
        /// last). Once chosen it stays until it is dropped or `databases` no longer covers it, so that a database that
        /// somebody makes moves no connection; the next covered one is chosen then. Null on MySQL and MariaDB
        /// while there is none. To open another one set `database` of the connection.
        default_database: String = computed(),
        /// Where the password is stored: the ARN of the secret, or `vault:<kv1|kv2>:<namespace>:<mount>:<path>`. Null with
        /// `auth = "iam"`.
        secret_ref: SecretRef = computed(),
        /// Version of the secret that holds the password.
        secret_version: String = computed(),
        /// When the password was stored, RFC 3339.
        rotated_at: String = computed(),
        /// When `rotation.after` is over, RFC 3339; null without it.
        rotation_due_at: String = computed(),
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
    /// Rights on objects of one kind.
    #[derive(Eq, PartialOrd, Ord)]
    pub struct GrantBlock {
        /// Database.
        database: DatabaseName = required(),
        /// PostgreSQL, SQL Server: the schema of the objects.
        schema: SchemaName = optional(),
        /// Kind of the objects; views are tables, procedures are functions.
        object_type: ObjectKind = required(),
        /// Names of the objects. All that exist when left out; a later one shows up in `coverage`, and the next apply
        /// covers it.
        objects: BTreeSet<ObjectName> = optional().not_empty(),
        /// Privileges in capitals, such as `SELECT` or `EXECUTE`.
        privileges: BTreeSet<PrivilegeName> = required().not_empty(),
    }
}

model! {
    /// When and how the password is replaced.
    #[derive(Eq)]
    pub struct Rotation {
        /// Age at which the password is replaced by the next apply, such as `30d`. The age is taken at refresh, never at
        /// apply, so that a plan that was saved does what it says whenever it is applied; without a refresh nothing gets
        /// older.
        after: Span = optional().check("longer than `0s`", is_an_age),
        /// Any texts; the password is replaced when one of them changes. Setting them for the first time changes nothing.
        keepers: BTreeMap<String, String> = optional(),
        /// What becomes of the password before. `single`: it ends at once. `dual_password` (MySQL 8.0.14 and later): it
        /// logs in until the next rotation. `two_users` (every engine): two logins with the same rights, `<name>` and
        /// `<name>_clone`, take turns; the one before stays good until the next rotation.
        strategy: String = optional()
            .computed()
            .one_of(&["single", "dual_password", "two_users"])
            .defaults_to("single"),
    }
}

/// `rotation.strategy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Strategy {
    /// One login, one password
    #[default]
    Single,
    /// One login that keeps its password before
    DualPassword,
    /// Two logins that take turns
    TwoUsers,
}

model! {
    /// The administrator that makes and changes the role.
    pub struct Admin {
        /// Secret with the administrator's user name and password: `rdsaccess_master_credential.<name>.secret_ref`, or
        /// the secret that RDS manages. Without `admin` the secret that RDS manages is used, then the one that
        /// `rdsaccess_master_credential` stores at its default place. That place follows the `store` of the provider
        /// block: between a change of it and the next rotation of the master password nothing is found there. Set
        /// `admin` to be independent of it.
        secret_ref: SecretRef = optional(),
        /// How the administrator logs in: with the password in `secret_ref`, or with tokens of IAM database
        /// authentication that the identity in the database's account signs.
        auth: Auth = optional().default_words("`password`"),
        /// With `auth = "iam"`: the user.
        username: RoleName = optional().default_words("the master user"),
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

impl GrantBlock {
    /// The grant, when all of it is known.
    fn grant(&self) -> Option<Grant> {
        let optional = self.schema.is_unknown() || self.objects.is_unknown();
        Some(Grant {
            database: self.database.get()?.clone(),
            schema: self.schema.get().cloned(),
            kind: *self.object_type.get().filter(|_| !optional)?,
            objects: self.objects.get().cloned(),
            privileges: self.privileges.get()?.clone(),
        })
    }
}

impl Role {
    /// The grants that are wholly known.
    pub(super) fn known_grants(&self) -> BTreeSet<Grant> {
        self.grants.get().into_iter().flatten().filter_map(GrantBlock::grant).collect()
    }

    /// Whether the role logs in with tokens.
    pub(super) fn is_iam(&self) -> bool {
        self.auth.get() == Some(&Auth::Iam)
    }

    /// The store that the configuration asks for; `None` for the provider's, or while parts are unknown.
    pub(super) fn store_settings(&self) -> Option<StoreSettings> {
        self.store.get().and_then(StoreBlock::settings)
    }

    /// Whether the place of the secret cannot be told yet.
    pub(super) fn store_is_unknown(&self) -> bool {
        self.store.is_unknown() || self.store.is_known() && self.store_settings().is_none()
    }

    /// Whether the password comes from `password_wo`.
    pub(super) fn is_given(&self) -> bool {
        !self.password_wo_version.is_null()
    }

    /// When the password is to be replaced.
    pub(super) fn schedule(&self) -> Schedule<'_> {
        match &self.rotation {
            Attr::Known(rotation) => Schedule { after: rotation.after.clone(), keepers: rotation.keepers.as_ref() },
            Attr::Null => Schedule { after: Attr::Null, keepers: Attr::Null },
            Attr::Unknown => Schedule { after: Attr::Unknown, keepers: Attr::Unknown },
        }
    }

    /// What becomes of the password before.
    pub(super) fn strategy(&self) -> Strategy {
        match self.rotation.get().and_then(|rotation| rotation.strategy.get()).map(String::as_str) {
            Some("dual_password") => Strategy::DualPassword,
            Some("two_users") => Strategy::TwoUsers,
            _ => Strategy::Single,
        }
    }

    /// Whether the state names the second login of two that take turns.
    pub(super) fn has_second_login(&self) -> bool {
        let name = self.name.get().map(|name| name.as_str());
        self.strategy() == Strategy::TwoUsers && self.username.get().is_some_and(|user| Some(user.as_str()) != name)
    }

    /// Whether two logins take turns, or may: a strategy that is not known yet may be that one.
    pub(super) fn may_take_turns(&self) -> bool {
        let is_open = self.rotation.get().map_or(self.rotation.is_unknown(), |rotation| rotation.strategy.is_unknown());
        is_open || self.strategy() == Strategy::TwoUsers
    }

    /// Fills `rotation_due_at` from what is known.
    pub(super) fn set_due(&mut self) {
        self.rotation_due_at = self.schedule().due(&self.rotated_at).map(|due| due.to_string());
    }

    /// Whether open sessions are ended also when the role stays.
    pub(super) fn always_ends_sessions(&self) -> bool {
        self.end_sessions.get().is_some_and(|word| word == "always")
    }

    /// Who makes and changes the role.
    pub(super) fn administrator(&self) -> Administrator {
        match self.admin.get() {
            Some(admin) if admin.auth.get() == Some(&Auth::Iam) => Administrator::Iam(admin.username.get().cloned()),
            Some(Admin { secret_ref: Attr::Known(secret_ref), .. }) => Administrator::Secret(secret_ref.clone()),
            _ => Administrator::Found,
        }
    }
}
