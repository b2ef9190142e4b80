//! Arguments and results of `rdsaccess_notification`.

use std::collections::BTreeMap;

use crate::access::{Access, Arn, Auth, EngineKind, Secret, SecretRef, Span};
use crate::model;
use crate::notify::Address;
use crate::schema::Timeouts;
use crate::value::Value;

model! {
    /// Tells others that the roles of a database are there: the event `dbroles.job.finished` of Hoop's AWS Connect to a
    /// webhook or to Svix, and a command on the machine that runs Terraform.
    ///
    /// It is sent when the resource is created, and again when `target_arn`, `results` or `triggers` change; any other
    /// change sends nothing. A refresh looks at nothing, and a destroy sends nothing.
    ///
    /// First the command runs, then the event is sent, with what came of the command in `hook_status`. The apply fails
    /// when the command does not start, or when the event is not taken; the next apply then does both again. A command
    /// that ends with another code than 0, or is out of time, fails no apply: a warning says so, and a `postcondition`
    /// on `exit_code` makes it fail.
    ///
    /// The id of an event follows from `target_arn`, `results`, `triggers`, `app_id` and the event before. So an apply
    /// that failed or was killed repeats the event with the same id, in `webhook-id`, `svix-id`, `event_payload.id` and
    /// `sid`, and receivers tell by it that they have it. A notification that is destroyed and made again with the same
    /// arguments repeats its event too: change `triggers` to make it another one. Svix itself refuses an id that it had
    /// within the last day: nothing is sent again then, and a warning and `message` say so.
    ///
    /// An apply that fails before, because a role cannot be made for example, tells nobody: Terraform runs nothing that
    /// depends on what failed, and the event follows with the apply that succeeds. To be told of a failed apply, let the
    /// job that runs Terraform say so by its exit code, in GitHub Actions with a step that has `if: failure()`.
    ///
    /// An event never holds a password. A command gets passwords only with `include_secrets = true`.
    ///
    /// It cannot be imported: it is something that was done, and leaves nothing that an import could find. A notification
    /// that is lost from state is made again, and sends its event again with the same id, unless others came before it.
    pub struct Notification {
        /// ARN of the database.
        target_arn: Arn = required(),
        /// The roles: `results = [rdsaccess_role.ro, rdsaccess_role.rw]`, or objects of your own.
        results: Vec<RoleResult> = required(),
        /// Any texts; when one of them changes, the event is sent again. They are kept in state, so none should be a
        /// secret.
        triggers: BTreeMap<String, String> = optional(),
        /// Where the event is sent to. At least one of `webhook` and `command` is needed.
        webhook: Webhook = optional(),
        /// Program and arguments; no shell is in between. It runs in the directory of Terraform, and gets
        /// `HOOP_AWS_CONNECT_REQUEST` and `HOOP_AWS_CONNECT_RESPONSE`. Of the environment it inherits `PATH`, `HOME`,
        /// `USER`, `LOGNAME`, `SHELL`, `LANG`, `LC_*`, `TZ` and `TMPDIR`, and no credential. Linux takes 128 KiB in a
        /// variable, which is room for 200 roles; more are refused. Needs `allow_command = true` in the provider block.
        command: Vec<String> = optional().not_empty().check("a list without empty program", names_a_program),
        /// Longest time for the command, and likewise for all attempts to send the event; it must be below
        /// `timeouts.create` and `timeouts.update`. A command that is late is ended with every process of its group,
        /// and its exit code is 124; a process that has left the group, by `setsid` for example, goes on. An interrupt
        /// of Terraform ends the command likewise, a provider that is killed leaves it running.
        timeout: Span = optional().computed().check("between 1s and 1d", is_timeout).defaults_to("5m"),
        /// Whether the command gets the passwords of the roles and of the master user, read from their stores; the master
        /// user's only where its secret is managed by RDS or lies at the default place. Otherwise they are empty. They
        /// are taken out of `output`, as they are and in JSON, URLs, base64 and hexadecimal; a command that prints them in
        /// another way, or in pieces, is not noticed.
        include_secrets: bool = optional().computed().defaults_to(false),
        /// How long the calls may take.
        timeouts: Timeouts = optional(),
        /// UUID of the event.
        event_id: String = computed(),
        /// `completed`, or `failed` when a role is not in order: its `coverage` or its `credential` says so.
        status: String = computed(),
        /// Which roles are not in order, and why; and that Svix had the event before, so that nothing was sent. Otherwise
        /// empty.
        message: String = computed(),
        /// When everybody had been told, RFC 3339.
        sent_at: String = computed(),
        /// Exit code of the command: 124 when it was late, 128 and the signal when a signal ended it. Null without a
        /// command.
        exit_code: i64 = computed(),
        /// Standard output and error of the command without secrets: the first 4096 bytes, and where there is more a note
        /// that says so. Null without a command.
        output: String = computed(),
    }
}

model! {
    /// A role that was made.
    pub struct RoleResult {
        /// Name of the login.
        username: String = required().not_empty(),
        /// Level of access.
        access: Access = optional(),
        /// Engine.
        engine: EngineKind = optional(),
        /// Host name of the database.
        endpoint: String = optional(),
        /// TCP port.
        port: i64 = optional().between(1, 65_535),
        /// Database that sessions open first.
        default_database: String = optional(),
        /// `password`, or `iam` for tokens.
        auth: Auth = optional(),
        /// The stored secret.
        secret_ref: SecretRef = optional(),
        /// Version of the stored secret.
        secret_version: String = optional(),
        /// When the password was stored, RFC 3339.
        rotated_at: String = optional(),
        /// Database -> `complete`, or what is missing.
        coverage: BTreeMap<String, String> = optional(),
        /// `ok`, or what is wrong with the stored password.
        credential: String = optional(),
    }
}

model! {
    /// An endpoint, or an application of Svix.
    pub struct Webhook {
        /// Address of the endpoint, or with `svix` of the server of Svix. It is kept in state, so no part of it should be
        /// a secret.
        url: String = optional()
            .check("an http or https URL without user and password", is_address)
            .default_words("with `svix`: the server of the token's region"),
        /// Key that signs the event, `whsec_…`: with a signature of Standard Webhooks in `webhook-signature`, and the same
        /// in `svix-signature`. It is at least 24 random bytes in base64 (24 to 64 in the standard), with or without
        /// `whsec_` before it. With `svix`: a token of the API. It is needed only by a plan that sends and by its apply;
        /// a plan without news, a refresh and a destroy do without. A saved plan does not hold it: it is given again to
        /// the apply, through an ephemeral variable for example.
        secret_wo: Secret<String> = optional().write_only(),
        /// Sends the event through the API of Svix, which signs it for every endpoint of an application.
        svix: Svix = optional(),
    }
}

model! {
    /// An application of Svix.
    pub struct Svix {
        /// Id or uid of the application; the gateway uses the id of its organization. It is also the `org_id` of the
        /// event.
        app_id: String = required().not_empty(),
    }
}

fn is_address(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<Address>().is_ok(),
        _ => true,
    }
}

fn is_timeout(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<Span>().map_or(true, |span| (1..=86_400).contains(&span.seconds())),
        _ => true,
    }
}

fn names_a_program(value: &Value) -> bool {
    match value {
        Value::List(words) => words.first().is_none_or(|word| *word != Value::string("")),
        _ => true,
    }
}
