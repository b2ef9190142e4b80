//! What can go wrong when others are told, in words.

use std::time::Duration;

use crate::report::{Explain, Reach};

/// An event that nobody took, or a command that did not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    /// The receiver's address, or the command's program
    pub address: String,
    /// Id of the event
    pub event: String,
    /// How often it was tried
    pub attempts: u32,
    /// What happened
    pub kind: Kind,
}

/// What happened at the last attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Kind {
    /// The receiver wants to see proof
    #[error("the receiver refuses the signature or token ({status}: {message})")]
    Unauthorized {
        /// 401 or 403
        status: u16,
        /// What it said
        message: String,
    },
    /// The receiver has ended the subscription
    #[error("the receiver does not want events any more (410: {message})")]
    Gone {
        /// What it said
        message: String,
    },
    /// There is nothing at the address
    #[error("there is no receiver at this address (404: {message})")]
    NotFound {
        /// What it said
        message: String,
    },
    /// The receiver points elsewhere
    #[error("the receiver answers with a redirect ({status}), which is not followed")]
    Redirect {
        /// 3xx
        status: u16,
    },
    /// The receiver refuses it for another reason
    #[error("the receiver refuses the event ({status}: {message})")]
    Refused {
        /// Status
        status: u16,
        /// What it said
        message: String,
    },
    /// The receiver cannot take it now
    #[error("the receiver cannot take the event now ({status}: {message})")]
    Busy {
        /// Status
        status: u16,
        /// What it said
        message: String,
    },
    /// No connection
    #[error("the receiver cannot be reached: {reason}")]
    Unreachable {
        /// Why
        reason: String,
    },
    /// No answer
    #[error("the receiver did not answer within {} s", after.as_secs())]
    Late {
        /// How long it had
        after: Duration,
    },
    /// Its certificate is not accepted
    #[error("the receiver's certificate is not accepted: {reason}")]
    Tls {
        /// Why
        reason: String,
    },
    /// No HTTP client
    #[error("no HTTP client can be made: {reason}")]
    Client {
        /// Why
        reason: String,
    },
    /// The event cannot be signed
    #[error("the event cannot be signed")]
    Unsigned,
    /// The command does not start
    #[error("the command does not start: {reason}")]
    NoStart {
        /// Why
        reason: String,
    },
    /// A variable is larger than the system takes
    #[error("the variable {name} has {size} bytes, and the system takes {limit}")]
    TooLarge {
        /// Name of the variable
        name: &'static str,
        /// Its size with its name
        size: usize,
        /// The limit
        limit: usize,
    },
}

impl Kind {
    /// An answer that does not say that the event was taken.
    pub(super) fn of(status: u16, message: String) -> Self {
        let message = if message.is_empty() { "no message".to_owned() } else { message };
        match status {
            401 | 403 => Self::Unauthorized { status, message },
            404 => Self::NotFound { message },
            410 => Self::Gone { message },
            300..=399 => Self::Redirect { status },
            _ if super::retry::is_passing(status) => Self::Busy { status, message },
            _ => Self::Refused { status, message },
        }
    }

    fn is_of_command(&self) -> bool {
        matches!(self, Self::NoStart { .. } | Self::TooLarge { .. })
    }
}

impl Explain for Error {
    fn summary(&self) -> String {
        if self.kind.is_of_command() { "The command did not run" } else { "The event was not delivered" }.to_owned()
    }

    fn detail(&self) -> String {
        let Self { address, event, attempts, kind } = self;
        if kind.is_of_command() {
            return format!("Command `{address}` for event {event}: {kind}");
        }
        let times = if *attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
        format!("POST {address} with event {event}, {times}: {kind}")
    }

    fn next_step(&self) -> Option<String> {
        let step = match &self.kind {
            Kind::Unauthorized { .. } => {
                "Check `webhook.secret_wo`: the signing key of this endpoint, or with `svix` a token of that server."
            }
            Kind::Gone { .. } => "Take `webhook` out of the configuration, or give it the address of another receiver.",
            Kind::NotFound { .. } => "Check `webhook.url`, and with `svix` that the application `app_id` exists.",
            Kind::Redirect { .. } => "Set `webhook.url` to the address after the redirect.",
            Kind::Refused { .. } => {
                "Correct what the receiver says. The next apply sends the event again, with the same id."
            }
            Kind::Busy { .. } | Kind::Unreachable { .. } | Kind::Late { .. } => {
                "Check the receiver, the network, and HTTPS_PROXY / NO_PROXY; a longer `timeout` allows more attempts. \
                 The next apply sends the event again, with the same id, by which the receiver can tell that it has it."
            }
            Kind::Tls { .. } => {
                "The certificates of the operating system are trusted: add the receiver's authority there, or correct \
                 the host in `webhook.url`."
            }
            Kind::Client { .. } => "Check the certificates of the operating system.",
            Kind::Unsigned => "Check `webhook.secret_wo`.",
            Kind::NoStart { .. } => {
                "Check the first element of `command`: a program in the PATH of Terraform, or a path from the directory \
                 that Terraform runs in. It must be executable, and a script begins with `#!` and its interpreter."
            }
            Kind::TooLarge { .. } => "Split `results` over several notifications, or shorten `command`.",
        };
        Some(step.to_owned())
    }

    fn reach(&self) -> Reach {
        match self.kind {
            Kind::Busy { .. } | Kind::Unreachable { .. } | Kind::Late { .. } | Kind::Tls { .. } => Reach::OutOfReach,
            _ => Reach::Fine,
        }
    }
}
