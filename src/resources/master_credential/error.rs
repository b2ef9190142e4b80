//! What is in the way of a master password.

use crate::access::{Arn, RoleName, SecretRef};
use crate::report::Explain;

/// What is in the way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// RDS manages the password
    #[error("RDS manages the master password of {arn} itself, in the secret {secret}")]
    Managed { arn: Arn, secret: SecretRef },
    /// RDS refuses longer ones
    #[error("{arn} takes master passwords of at most 41 characters, {length} are asked for")]
    TooLong { arn: Arn, length: usize },
    /// RDS manages the password with another key
    #[error("RDS manages the master password of {arn} in a secret that {found} encrypts, not {wanted}")]
    OtherKey { arn: Arn, found: String, wanted: String },
    /// RDS has lost the way to its secret
    #[error(
        "RDS can no longer rotate the secret {secret}, in which it manages the master password of {arn} (impaired)"
    )]
    Impaired { arn: Arn, secret: SecretRef },
    /// A change that RDS makes at once would apply what others left for later
    #[error(
        "{arn}: RDS makes this change only at once, and would apply with it what waits for the maintenance window: {others}"
    )]
    Others { arn: Arn, others: String },
    /// Somebody else changes the password now
    #[error("another new master password of {0} waits in its pending changes")]
    Waiting(Arn),
    /// RDS is setting a password
    #[error("RDS is resetting the master password of {0} at this moment")]
    Resetting(Arn),
    /// An import finds no secret of ours
    #[error("{secret} holds no master password of {arn} that this provider has made")]
    NoSecret { arn: Arn, secret: String },
    /// The adopted secret is for somebody else
    #[error("the secret {secret} is for the user `{found}`; the master user of {arn} is `{wanted}`")]
    OtherUser { arn: Arn, secret: SecretRef, found: RoleName, wanted: RoleName },
    /// The adopted secret does not work
    #[error("{arn} refuses the user name and password in {secret}")]
    AdoptRefused { arn: Arn, secret: SecretRef },
    /// The plan is out of date
    #[error("the secret of {0} is not where it was when the change was planned")]
    Moved(Arn),
    /// Somebody began the management anew while it was waited for
    #[error("RDS put the master password of {0} into another secret while this change was made")]
    MovedMeanwhile(Arn),
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::Managed { .. } => "RDS manages this master password",
            Self::OtherKey { .. } => "RDS cannot change the key of its secret",
            Self::Impaired { .. } => "The secret of RDS is impaired",
            Self::Others { .. } => "Other changes are waiting",
            Self::TooLong { .. } => "The password would be too long",
            Self::Waiting(_) | Self::Resetting(_) => "The master password is being changed already",
            Self::NoSecret { .. } => "There is no secret to import",
            Self::OtherUser { .. } | Self::AdoptRefused { .. } => "The secret cannot be adopted",
            Self::Moved(_) | Self::MovedMeanwhile(_) => "The plan is out of date",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(
            match self {
                Self::Managed { .. } => {
                    "Set `method = \"rds_managed\"`, which takes it over as it is, or switch manage_master_user_password \
                     off first. Nothing was changed"
                }
                Self::OtherKey { .. } => {
                    "Leave kms_key_id as it was, or in two steps: set `method = \"password\"` and take kms_key_id out, \
                     apply, then set `method = \"rds_managed\"` with the key that you want, and apply again. Clients need \
                     the new password each time. Nothing was changed"
                }
                Self::Impaired { .. } => {
                    "Give RDS its access to the secret and its KMS key back, then apply again; or set `method = \
                     \"password\"` without kms_key_id, apply, and switch back"
                }
                Self::Others { .. } => {
                    "Apply or withdraw the other changes, or wait for the maintenance window, then apply again. Nothing \
                     was changed"
                }
                Self::TooLong { .. } => "Lower `password_length`. Nothing was changed",
                Self::Waiting(_) => "Wait until RDS has applied it, then apply again. Nothing was changed",
                Self::Resetting(_) => "Wait until the database is available, then apply again. Nothing was changed",
                Self::NoSecret { .. } => {
                    "An import looks only where the `store` of the provider block says. If the secret lies there, import \
                     with that `store`; otherwise leave the import out: a create takes over a secret of ours that still \
                     logs in, or the one that `adopt_secret_ref` names, without a reset"
                }
                Self::OtherUser { .. } => "Name the secret of the master user. Nothing was changed",
                Self::AdoptRefused { .. } => {
                    "Correct the secret, or leave adopt_secret_ref out to replace the password. Nothing was changed"
                }
                Self::Moved(_) => "Plan again. Nothing was changed",
                Self::MovedMeanwhile(_) => "Plan again: what RDS reached is in the state",
            }
            .to_owned(),
        )
    }
}
