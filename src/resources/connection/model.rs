//! Arguments and results of `rdsaccess_connection`.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{Access, Arn, Auth, EngineKind, SecretRef, Span, is_connection_name};
use crate::gateway::LONGEST_RESOURCE_NAME;
use crate::model;
use crate::schema::Timeouts;
use crate::value::Value;

/// Largest number that the gateway's database takes.
const LARGEST: i64 = i32::MAX as i64;

model! {
    /// Registers a database role as a connection of the Hoop gateway.
    ///
    /// By default the gateway stores no password: the connection holds a reference to the secret, and the gateway's agent
    /// reads it when somebody opens a session. With `secret_delivery = "copy"` the gateway stores the password itself.
    /// Host, port, user and database are plain values.
    ///
    /// A setting that is left out is not managed: it stays as it is on the gateway and never shows as a difference.
    /// Taking a setting out of the configuration clears what it had set. Two are different: `access_modes` is managed also
    /// when it is left out, so that a mode that somebody switched off by hand is planned on again; a `resource_name` that
    /// is taken out stays as it was. Environment variables, tags and everything else that other people set on the
    /// connection stay.
    ///
    /// A connection that exists already is taken over, with a warning, only when this provider made it for the same database
    /// and user; everything else is imported. The gateway has one connection of a name: two blocks of one name are refused by
    /// the plan, or by the apply where they are wholly equal, and a `moved` block gives a connection another address. Whether another state holds a connection nobody can
    /// tell, so a name that it uses is taken over too: give each configuration names of its own.
    ///
    /// A plan fails when the provider has no gateway, and asks it nothing. Where other resources must not be changed for a
    /// connection that cannot be made then, `rdsaccess_agents` with `must_include` and a postcondition on `missing` looks
    /// first, and they depend on it.
    /// Of a connection that somebody else has come to manage (`managed_by`) the state keeps the arguments, and a warning
    /// names what differs; a change that the configuration asks for is refused, and so is a replacement.
    ///
    /// Destroying the last connection of a gateway resource also removes that resource, when it came into being with a
    /// connection of this provider, of this state or another, and nobody has given it variables. That shows as long as the
    /// connection that it came with has kept host, user and password, or is destroyed last or along with the last. One that
    /// was there before stays, and a destroy that leaves one without any connection says so.
    ///
    /// When a gateway is away while a connection is made (it restarts), the provider looks whether the connection is there,
    /// and tries again.
    ///
    /// A connection to PostgreSQL has at least `SSLMODE=require`, one to SQL Server `INSECURE=false`. What somebody sets to
    /// less, or takes out, stands in `tls_state` and is repaired; what goes further, such as `SSLMODE=verify-full`, which
    /// needs the roots of RDS on the agent's machine, stays. With `tls = { mode = "disable" }` in the provider block a
    /// connection starts with `prefer` and `true`, and any value stays.
    ///
    /// With `groups` only these groups, admins and auditors see the connection. The gateway's plugin `access_control` must
    /// be enabled: the provider does not do that by itself, because from then on every connection without groups is hidden
    /// from people who are no admins.
    pub struct Connection {
        /// Name of the connection; `provider::rdsaccess::connection_name` builds one.
        name: String = required().replace().check(
            "letters, digits and `_`, joined by single `-` or `.`, with at least three letters, digits or `_`, at most \
             254 characters", is_name),
        /// ARN of the database, for the tag by which Hoop finds the connections of a database.
        target_arn: Arn = required(),
        /// The login: `role = rdsaccess_role.example`, or an object of your own.
        role: Role = required(),
        /// Database that sessions open first. MySQL and MariaDB fall back to `information_schema`, which every user may
        /// open.
        database: String = optional().not_empty().default_words("the role's `default_database`"),
        /// Id of the agent that opens the sessions, a UUID. Exactly one of `agent_id` and `agent_name` is needed.
        agent_id: String = optional().not_empty(),
        /// Name of the agent that opens the sessions.
        agent_name: String = optional().not_empty(),
        /// How the gateway gets the password. `reference`: the agent reads it from the store of secrets, so that its
        /// identity must be allowed to (AWS) or its environment must name a token (Vault). `copy`: the provider reads it
        /// from the store and writes it into the connection, again whenever it changes; it never reaches state. A reference
        /// to Secrets Manager is a name without account and region, which the agent looks up in its own: when it runs
        /// elsewhere than its databases, set `store` of the provider block to its account and region, or take `copy`.
        secret_delivery: String = optional().computed().one_of(&[REFERENCE, COPY]).defaults_to(REFERENCE),
        /// The gateway's resource that holds the connections of a database together; it is made when it does not exist.
        resource_name: String = optional().computed().not_empty().check("at most 128 characters", fits_resource_name)
            .default_words("the name without its ending `-ro`, `-rw` or `-ddl`"),
        /// Ways of using the connection.
        access_modes: AccessModes = optional().computed().defaults_to(all_modes()).default_words("all of them"),
        /// Groups that review sessions.
        reviewers: BTreeSet<String> = optional(),
        /// Groups that may use the connection. Needs the gateway's plugin `access_control`.
        groups: BTreeSet<String> = optional(),
        /// Ids of guardrail rules, UUIDs.
        guardrail_rules: BTreeSet<String> = optional(),
        /// Info types that are redacted from results, such as `EMAIL_ADDRESS`.
        redact_types: BTreeSet<String> = optional(),
        /// Groups whose approval is enough on its own. Needs `reviewers`.
        force_approve_groups: BTreeSet<String> = optional(),
        /// Attributes of the gateway that the connection carries.
        attributes: BTreeSet<String> = optional(),
        /// Metadata that a session must come with.
        mandatory_metadata_fields: BTreeSet<String> = optional(),
        /// Longest just-in-time access that a person may ask for, such as `15m`; an approved access ends by itself. Needs
        /// `reviewers`. A gateway without an enterprise licence does not look at it: there it is 48 hours.
        access_max_duration: Span = optional().check("between 1s and 24855d", is_duration),
        /// Approvals that a session needs; left out, every group in `reviewers` has to approve. Needs `reviewers`.
        min_review_approvals: i64 = optional().between(1, LARGEST),
        /// Id of the template for Jira issues, a UUID.
        jira_issue_template_id: String = optional().not_empty(),
        /// Tags, at most 8, and fewer where others have set some: the gateway takes 10 with the provider's own two. Values may hold no dot; `provider::rdsaccess::tag_value` cleans a text.
        tags: BTreeMap<String, String> = optional(),
        /// Time-outs.
        timeouts: Timeouts = optional(),
        /// UUID of the connection.
        id: String = computed(),
        /// Command of the web terminal. The gateway chooses it by engine; a change by hand stays.
        command: Vec<String> = computed(),
        /// `online` when the agent was connected, else `offline`.
        status: String = computed(),
        /// Whether the connection's password is the wanted one: `in_sync`, `differs`, or `hidden` where the gateway does
        /// not show it. Of a reference the text is compared: whether the agent finds a secret of that name in its own
        /// account and region, and may read it, shows when somebody opens a session. Null while it is not known which
        /// password is wanted: after an import, until the next apply.
        secret_state: String = computed(),
        /// How far the TLS of sessions goes: `ok`, or in words what is less than a new connection has, which the next apply
        /// repairs; `hidden` where the gateway does not show it. Null for MySQL and MariaDB, which have no setting.
        tls_state: String = computed(),
    }
}

model! {
    /// A login on a database.
    pub struct Role {
        /// User.
        username: String = required().not_empty(),
        /// Engine. The gateway knows MariaDB as MySQL.
        engine: EngineKind = required(),
        /// Host name of the database.
        endpoint: String = required().not_empty(),
        /// TCP port.
        port: i64 = required().between(1, 65_535),
        /// Database that sessions open first, unless `database` names another.
        default_database: String = optional().not_empty(),
        /// `password`, or `iam` for tokens that the agent makes.
        auth: Auth = optional().computed().defaults_to("password"),
        /// Level of access of the role; the connection does not depend on it.
        access: Access = optional(),
        /// The stored secret; needed unless `auth = "iam"`. The password is its key `password`, in Vault `PASSWORD` in
        /// upper case: the agent looks for no other key, so a secret of Vault without it needs
        /// `secret_delivery = "copy"`.
        secret_ref: SecretRef = optional(),
        /// Version of the stored secret. With a reference the agent always reads the current one; with a copy another
        /// version is written into the connection.
        secret_version: String = optional(),
    }
}

model! {
    /// Ways of using a connection.
    pub struct AccessModes {
        /// Through a local port.
        connect: bool = optional().computed().defaults_to(true),
        /// In the web terminal and by one-off commands.
        exec: bool = optional().computed().defaults_to(true),
        /// By runbooks.
        runbooks: bool = optional().computed().defaults_to(true),
        /// Browsing the schema.
        schema: bool = optional().computed().defaults_to(true),
    }
}

model! {
    /// What names a connection.
    pub struct ConnectionIdentity {
        /// Name of the connection.
        name: String = required(),
    }
}

/// `secret_delivery = "reference"`.
pub(super) const REFERENCE: &str = "reference";
/// `secret_delivery = "copy"`.
pub(super) const COPY: &str = "copy";
/// The word of `tls_state` where nothing is to be repaired.
pub(super) const OK: &str = "ok";
/// `auth = "iam"`.
pub(super) const IAM: Auth = Auth::Iam;

impl Connection {
    /// Whether the gateway stores the password itself.
    pub(super) fn is_copy(&self) -> bool {
        self.secret_delivery.get().is_some_and(|delivery| delivery == COPY)
    }
}

impl Role {
    /// Whether the agent makes IAM tokens instead of reading a password.
    pub(super) fn is_iam(&self) -> bool {
        self.auth.get() == Some(&IAM)
    }
}

fn all_modes() -> Value {
    Value::Object(["connect", "exec", "runbooks", "schema"].map(|mode| (mode.to_owned(), true.into())).into())
}

fn is_name(value: &Value) -> bool {
    text_fits(value, is_connection_name)
}

fn fits_resource_name(value: &Value) -> bool {
    text_fits(value, |text| text.chars().count() <= LONGEST_RESOURCE_NAME)
}

fn is_duration(value: &Value) -> bool {
    let whole_seconds = |span: Span| i64::try_from(span.seconds()).is_ok_and(|s| (1..=LARGEST).contains(&s));
    text_fits(value, |text| text.parse().map_or(true, whole_seconds))
}

fn text_fits(value: &Value, rule: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => rule(text),
        _ => true,
    }
}
