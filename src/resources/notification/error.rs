//! What can go wrong with a notification besides the sending itself.

use crate::report::{Explain, Reach};
use crate::store;
use crate::value::Path;

/// Why there is nothing to tell, or nobody who could.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is nothing to import
    #[error("a notification is something that was done, and leaves nothing that an import could find")]
    NoImport,
    /// The key or token is not one
    #[error("{0}")]
    BadSecret(#[source] crate::access::Invalid),
    /// The key or token has no value now
    #[error("`webhook.secret_wo` has no value")]
    NoSecret,
    /// The password of a role cannot be read
    #[error("the password of `{username}` for the command cannot be read: {why}")]
    NoPassword {
        /// The role
        username: String,
        /// What the store said, with the secret
        why: store::Error,
    },
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::NoImport => "A notification cannot be imported",
            Self::BadSecret(_) | Self::NoSecret => "The event cannot be signed",
            Self::NoPassword { .. } => "Cannot read a password for the command",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::NoImport => "Leave the import out: the next apply sends the event.".to_owned(),
            Self::BadSecret(_) => "Correct `webhook.secret_wo`. Nothing was sent.".to_owned(),
            Self::NoSecret => {
                "Give it to the plan and to the apply, by an ephemeral variable for example. Nothing was sent."
                    .to_owned()
            }
            Self::NoPassword { why, .. } => why.next_step().unwrap_or_else(|| {
                "Set `include_secrets = false` if the command needs no passwords. Nothing was sent.".to_owned()
            }),
        })
    }

    fn attribute(&self) -> Option<Path> {
        match self {
            Self::NoImport => None,
            Self::BadSecret(_) | Self::NoSecret => Some(Path::attribute("webhook").field("secret_wo")),
            Self::NoPassword { .. } => Some(Path::attribute("results")),
        }
    }

    fn reach(&self) -> Reach {
        match self {
            Self::NoPassword { why, .. } => why.reach(),
            _ => Reach::Fine,
        }
    }
}
