//! What can go wrong with a store.

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
            Fault::Gone | Fault::Unproven => Reach::Refused,
            _ => Reach::Fine,
        }
    }

    fn next_step(&self) -> Option<String> {
        match &self.fault {
            Fault::Aws(error) => error.next_step(),
            Fault::Vault(fault) => fault.next_step(),
            Fault::Foreign(_) => Some("Choose another `name_prefix` or `path_prefix` in `store`, or remove the secret".to_owned()),
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
