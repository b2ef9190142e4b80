//! The domain's words, free of Terraform and of vendor SDKs: what a target is, what a level of access means, how a
//! secret is referred to. Everything here is parsed at the edge; inside the provider there are no raw strings.

mod account;
mod arn;
mod auth;
mod cidr;
mod coverage;
mod duration;
mod endpoint_region;
mod expiry;
mod grant;
mod jitter;
mod kind;
mod level;
mod mark;
mod name;
pub mod rotation;
mod secret;
mod secret_ref;
mod secret_stage;
mod shard;
mod target;
mod text;
mod trust;

pub use account::{AccountId, Partition, Region};
pub use arn::{Arn, TargetKind};
pub use auth::Auth;
pub use cidr::{Cidr, GroupRef, RuleSource};
pub use coverage::{COMPLETE, Coverage, Gap, Missing, list_names};
pub use duration::Span;
pub use endpoint_region::{check_host_name, region_of_endpoint};
pub use expiry::Expiry;
pub use grant::{Grant, ObjectKind, PrivilegeName};
pub use jitter::{between, jittered};
pub use kind::EngineKind;
pub use level::Access;
pub use mark::{MANAGED_TAG, Mark, TARGET_TAG, USERNAME_TAG};
pub use name::{DatabaseName, HostPattern, Identifier, ObjectName, RoleName, SchemaName};
pub use secret::Secret;
pub use secret_ref::{KvVersion, SecretRef};
pub use secret_stage::SecretStage;
pub use shard::Shard;
pub use target::{Endpoint, PENDING_PASSWORD, Target, Unsupported};
pub use text::{clean_connection_name, clean_tag_value, is_connection_name, is_tag_key, is_tag_value};
pub use trust::{TlsMode, Trust};

/// A text that is not what it should be; the sentence says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    /// An error with a sentence that ends without a full stop.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
