//! What can go wrong on a database server, classified so that callers and people know what to do.

use crate::access::Endpoint;
use crate::engine::Login;
use crate::report::{Explain, Reach, with_causes};

/// An error on one server.
#[derive(Debug, thiserror::Error)]
#[error("{target} ({endpoint}): {fault}")]
pub struct Error {
    /// ARN of the database
    pub target: String,
    /// Where it was tried
    pub endpoint: Endpoint,
    /// User that was logged in or tried to
    pub username: String,
    /// What happened
    #[source]
    pub fault: Fault,
}

impl Error {
    /// An error for the server of this login.
    pub fn new(login: &Login, fault: Fault) -> Self {
        Self {
            target: login.target.clone(),
            endpoint: login.endpoint.clone(),
            username: login.username.to_string(),
            fault,
        }
    }
}

/// The classes of faults. Texts never hold a secret or a statement with one.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection: name resolution, routing, a closed port, a time-out
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// The certificate or the TLS handshake was refused
    #[error("TLS failed: {0}")]
    Tls(String),
    /// User name or password refused. Only what the server says of a wrong password is this: callers take it as a
    /// reason to set another one
    #[error("the server refused the login: {0}")]
    LoginRefused(String),
    /// The user does not get in, and the reason is not a wrong password: a locked account, a line of `pg_hba.conf`, a
    /// way to log in that is not supported. Whether the password is right is unknown
    #[error("the server bars the login, and not for a wrong password: {0}")]
    LoginBarred(String),
    /// No token could be signed, so that nothing was sent
    #[error("no token of IAM authentication can be made: {0}")]
    NoToken(String),
    /// A right is missing for one step
    #[error("permission denied while {step}: {text}")]
    Denied {
        /// What was being done, as a participle
        step: String,
        /// The server's words
        text: String,
    },
    /// Another session holds a lock, or conflicts did not end within the retries
    #[error("blocked while {step}: {text}")]
    Blocked {
        /// What was being done
        step: String,
        /// Who holds it, as far as known
        text: String,
    },
    /// The connection broke while a statement ran; whether it was executed is unknown
    #[error("the connection was lost while {step}: {text}")]
    ConnectionLost {
        /// What was being done
        step: String,
        /// The driver's words
        text: String,
    },
    /// The node takes no writes
    #[error("the server is read-only: {0}")]
    ReadOnly(String),
    /// A role or object of that name belongs to somebody else
    #[error("{0}")]
    Foreign(String),
    /// Something that the configuration names is not there: a database, a schema, a role
    #[error("{0}")]
    NotFound(String),
    /// The role owns objects, which are never dropped with it
    #[error("{0}")]
    Owner(String),
    /// The engine or its version cannot do it
    #[error("{0}")]
    Unsupported(String),
    /// The server never takes this password: it breaks a rule of length, kind or repetition
    #[error("the server takes no such password: {0}")]
    Unfit(String),
    /// Anything else that the server said
    #[error("the server refused {step}: {text}")]
    Statement {
        /// What was being done
        step: String,
        /// The server's code and words
        text: String,
    },
}

impl Explain for Error {
    fn summary(&self) -> String {
        match &self.fault {
            Fault::Unreachable(_) => "Cannot reach the database",
            Fault::Tls(_) => "Cannot verify the database server",
            Fault::LoginRefused(_) => "The database refused the login",
            Fault::LoginBarred(_) => "The database bars the login",
            Fault::NoToken(_) => "Cannot make a token",
            Fault::Denied { .. } => "Permission denied by the database",
            Fault::Blocked { .. } => "Blocked by another session of the database",
            Fault::ConnectionLost { .. } => "The connection to the database was lost",
            Fault::ReadOnly(_) => "The database is read-only",
            Fault::Foreign(_) => "The name belongs to somebody else",
            Fault::NotFound(_) => "Not found in the database",
            Fault::Owner(_) => "The role owns objects",
            Fault::Unsupported(_) => "Not supported by the database",
            Fault::Unfit(_) => "The database takes no such password",
            Fault::Statement { .. } => "The database refused a statement",
        }
        .to_owned()
    }

    fn detail(&self) -> String {
        format!("on {} at {} as user `{}`: {}", self.target, self.endpoint, self.username, with_causes(&self.fault))
    }

    fn reach(&self) -> Reach {
        match &self.fault {
            Fault::Unreachable(_)
            | Fault::Tls(_)
            | Fault::ConnectionLost { .. }
            | Fault::LoginBarred(_)
            | Fault::NoToken(_) => Reach::OutOfReach,
            Fault::LoginRefused(_) => Reach::Refused,
            Fault::Unfit(_) => Reach::Unfit,
            _ => Reach::Fine,
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match &self.fault {
            Fault::Unreachable(_) => {
                "Check that the machine that runs Terraform can reach the endpoint: security group, routing, VPN. \
                 With on_unreachable = \"keep\" in the provider block a refresh keeps the prior state"
            }
            Fault::Tls(_) => "Add the CA that signed the server's certificate as tls.ca_bundle in the provider block",
            Fault::LoginRefused(_) => {
                "Check that the secret holds the current password of this user; after a reset by hand apply \
                 rdsaccess_master_credential again"
            }
            Fault::LoginBarred(_) => {
                "Remove what the server names (a locked or expired account, a client address or a connection without \
                 TLS that it does not take, another way to log in) and apply again; the stored password stays as it is"
            }
            Fault::NoToken(_) => "Renew the AWS credentials of this account and apply again",
            Fault::Denied { .. } => "Log in with a user that holds the right, or grant it to this user",
            Fault::Blocked { .. } => "Wait until the other session has finished and apply again",
            Fault::ConnectionLost { .. } => "Apply again: the provider continues from what it finds",
            Fault::ReadOnly(_) => "Use the writer's ARN; after a failover apply again",
            Fault::Foreign(_) => "Choose another name, or import the role if it should be managed here",
            Fault::NotFound(_) => "Correct the name in the configuration, or create what it names first",
            Fault::Owner(_) => "Name the role that receives the objects as reassign_owned_to",
            Fault::Unsupported(_) => "Leave this out for this database, or use a version of the engine that has it",
            Fault::Unfit(_) => {
                "Ease the rule for passwords in the parameter group of the database and apply again; the password before \
                 stays good"
            }
            Fault::Statement { .. } => {
                "Look for the statement in the log of the server, remove the cause and apply again: the provider \
                 continues from what it finds"
            }
        };
        Some(step.to_owned())
    }
}
