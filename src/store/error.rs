//! What can go wrong with a store.

use std::sync::Arc;

use crate::access::SecretStage;
use crate::aws;
use crate::report::{Explain, Reach, with_causes};

/// An error about one secret.
#[derive(Debug, thiserror::Error)]
#[error("secret `{secret}`: {fault}")]
pub struct Error {
    /// Name or reference of the secret
    pub secret: String,
    /// What happened
    #[source]
    pub fault: Fault,
}

/// The classes of faults.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// AWS refused or could not be asked
    #[error(transparent)]
    Aws(#[from] aws::Error),
    /// Vault refused or could not be asked
    #[error(transparent)]
    Vault(#[from] super::vault::Fault),
    /// The name is taken
    #[error("{0}")]
    Foreign(String),
    /// A secret that was ours carries our mark no more
    #[error("it lost our mark ({0}), so it is left alone")]
    LostMark(&'static str),
    /// AWS rotates the secret, so that two would change the password
    #[error("AWS rotates it by itself")]
    RotatedByAws,
    /// The value is not in the form that we write and read
    #[error("its value is not a credential: {0}")]
    Malformed(String),
    /// The secret or version is not there
    #[error("it does not exist")]
    Gone,
    /// The secret is there, a version of this stage is not
    #[error("it has no version with the stage {0}")]
    NoVersion(SecretStage),
    /// The reference is for a store that cannot be asked
    #[error("{0}")]
    OtherStore(String),
    /// The store of the reference cannot be asked, for the reason inside
    #[error("{0}")]
    NoStore(#[source] Arc<dyn Explain + Send + Sync>),
    /// The system gave no random bytes
    #[error("the system gave no random bytes: {0}")]
    NoEntropy(String),
    /// Another program stored the pending version a short time ago
    #[error("another program is changing the password: it stored the pending version {version} {since}")]
    Others {
        /// The version
        version: String,
        /// When, in words
        since: String,
    },
    /// Where to look is not known yet
    #[error("the `store` of the provider block will be known only after apply")]
    PlaceUnknown,
    /// Another run stored or promoted another version meanwhile
    #[error("another run stored or promoted another version meanwhile")]
    Overtaken,
    /// No login has proven the value yet
    #[error("its current version is not proven: a change of the password did not finish")]
    Unproven,
}

impl Fault {
    /// Whether another run was faster: what is there now is another starting point, and nothing is wrong with it.
    pub fn is_overtaken(&self) -> bool {
        matches!(self, Self::Overtaken | Self::Vault(super::vault::Fault::Conflict { .. }))
    }
}

impl Error {
    /// An error about a secret.
    pub fn new(secret: impl std::fmt::Display, fault: impl Into<Fault>) -> Self {
        Self { secret: secret.to_string(), fault: fault.into() }
    }
}

impl Explain for Error {
    fn summary(&self) -> String {
        match &self.fault {
            Fault::Aws(error) => error.summary(),
            Fault::Vault(fault) => fault.summary().to_owned(),
            Fault::Foreign(_) => "The name of the secret is taken".to_owned(),
            Fault::LostMark(_) => "The secret lost its mark".to_owned(),
            Fault::RotatedByAws => "The secret is rotated by AWS".to_owned(),
            Fault::NoStore(reason) => reason.summary(),
            Fault::Malformed(_) => "Cannot read the secret".to_owned(),
            Fault::Gone => "The secret is gone".to_owned(),
            Fault::NoVersion(_) => "The secret has no such version".to_owned(),
            Fault::OtherStore(_) => "Cannot read the secret".to_owned(),
            Fault::PlaceUnknown => "The provider is not known well enough yet".to_owned(),
            Fault::NoEntropy(_) => "Cannot make a secret".to_owned(),
            Fault::Others { .. } | Fault::Overtaken => "The password is being changed already".to_owned(),
            Fault::Unproven => "The secret is not proven yet".to_owned(),
        }
    }

    fn detail(&self) -> String {
        format!("secret `{}`: {}", self.secret, with_causes(&self.fault))
    }

    fn reach(&self) -> Reach {
        match &self.fault {
            Fault::Aws(error) => error.reach(),
            Fault::Vault(fault) => fault.reach(),
            Fault::NoStore(reason) => reason.reach(),
            Fault::Gone | Fault::Unproven => Reach::Refused,
            _ => Reach::Fine,
        }
    }

    fn next_step(&self) -> Option<String> {
        match &self.fault {
            Fault::Aws(error) => error.next_step(),
            Fault::Vault(fault) => fault.next_step(),
            Fault::Foreign(_) => Some("Choose another `name_prefix` or `path_prefix` in `store`, or remove the secret".to_owned()),
            Fault::LostMark(mark) => Some(format!(
                "If the secret is still ours, set {mark} on it again as it was and run the same command again; else delete it \
                 by hand, and take the resource out of the state (terraform state rm)"
            )),
            Fault::RotatedByAws => Some(
                "Switch the rotation of the secret off (aws secretsmanager cancel-rotate-secret) and apply again: two that \
                 change one password break each other's"
                    .to_owned(),
            ),
            Fault::NoStore(reason) => reason.next_step(),
            Fault::Malformed(_) => Some("It must be JSON with `username` and `password`, as RDS writes it; in Vault `USER` and `PASSWORD` do as well".to_owned()),
            Fault::Gone => Some("Plan again: the refresh will notice it".to_owned()),
            Fault::OtherStore(_) => Some("Use the full ARN of a secret in AWS Secrets Manager, or `vault:<kv1|kv2>:<namespace>:<mount>:<path>`".to_owned()),
            Fault::PlaceUnknown => Some("Apply what it comes from first (-target), or give it as a variable".to_owned()),
            Fault::NoVersion(SecretStage::Current) => Some("Store a value in it first".to_owned()),
            Fault::NoVersion(_) => {
                let step = "Leave `version_stage` out to read the current version; another one is there only around a \
                            change of the password";
                Some(step.to_owned())
            }
            Fault::NoEntropy(_) => None,
            Fault::Others { .. } => Some(
                "Wait until that program has finished and apply again. If it was given up, apply again when the version \
                 is older than an hour: the provider then continues with it. Nothing was changed"
                    .to_owned(),
            ),
            Fault::Overtaken => {
                Some("Wait until the other run has finished and apply again: the provider continues".to_owned())
            }
            Fault::Unproven => {
                let step = "Apply the resource that made the secret again: it continues. `rdsaccess_secret` reads the \
                            unproven version when it asks for it by `version_stage = \"AWSPENDING\"`";
                Some(step.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    #[test]
    fn a_secret_that_is_no_stranger_is_not_to_be_renamed() {
        let lost = Report::of(&Error::new("s", Fault::LostMark("the tag `a`")));
        let rotated = Report::of(&Error::new("s", Fault::RotatedByAws));
        assert!(lost.detail.contains("set the tag `a` on it again"), "{lost}");
        assert!(rotated.detail.contains("cancel-rotate-secret"), "{rotated}");
        assert!(!lost.detail.contains("name_prefix") && !rotated.detail.contains("name_prefix"));
        let foreign = Report::of(&Error::new("s", Fault::Foreign("taken".to_owned())));
        assert!(foreign.detail.contains("name_prefix"), "{foreign}");
    }
}
