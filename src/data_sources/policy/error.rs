//! What keeps a document from being written.

use crate::report::Explain;

/// What IAM or CloudFormation would refuse.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Longer than the quota
    #[error("{document} would have {size} characters; {reader} takes at most {limit}")]
    TooLong { document: &'static str, size: usize, limit: usize, reader: &'static str },
    /// Two partitions
    #[error("the ARNs belong to several partitions: {0}")]
    Partitions(String),
    /// The store is not known
    #[error("`store` of the provider block will be known only after apply, so no document can name its secrets")]
    UnknownStore,
    /// The provider's own role has a name that no document can hold
    #[error("the role that the provider takes cannot stand in a document: {0}")]
    Assumed(String),
    /// The secrets of the provider are not told from others
    #[error(
        "the `name_prefix` of `store` is empty, so a document could only name secrets by the numbers of their accounts, which \
         secrets of others may begin with too"
    )]
    EmptyPrefix,
}

impl Explain for Error {
    fn summary(&self) -> String {
        match self {
            Self::TooLong { .. } => "A policy document is too long",
            Self::Partitions(_) => "ARNs of several partitions",
            Self::UnknownStore => "The provider is not known well enough yet",
            Self::Assumed(_) => "The provider's role fits no policy",
            Self::EmptyPrefix => "The secrets have no prefix of their own",
        }
        .to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(
            match self {
                Self::TooLong { document: "trust_policy_json", .. } => {
                    "Name fewer `hub_principal_arns`: the root of an account stands for all of its identities"
                }
                Self::TooLong { .. } => {
                    "Name fewer `target_arns`: one account at a time with `for_each`. For the hub, and for a template that \
                     fits every account, leave them out: a document by pattern has the same length for one database and \
                     for a thousand. The page of `rdsaccess_policy` has an example of both. Fewer `features`, `role_names`, \
                     `admin_names` and `kms_key_arns` make it shorter too"
                }
                Self::Partitions(_) => "Ask for each partition in a data source of its own",
                Self::Assumed(_) => {
                    "Set `hub_principal_arns`: the root of the account (`arn:aws:iam::<account>:root`) stands for all of its \
                     identities. Or take a role without such a character in its name"
                }
                Self::EmptyPrefix => "Set `name_prefix`, such as `rdsaccess/`; secrets that are there move with their next password",
                Self::UnknownStore => "Apply what it comes from first (-target), or give it as a variable",
            }
            .to_owned(),
        )
    }
}
