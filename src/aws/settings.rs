//! What the provider block says about AWS, resolved: plain values, parsed at the edge.

use std::collections::BTreeMap;

use crate::access::{AccountId, Region, Secret, Span};

/// How to reach AWS. Every field left out falls back to the default chain of the AWS SDK (environment, shared
/// configuration files, SSO, web identity, container and instance roles).
#[derive(Debug, Clone)]
pub struct Settings {
    /// Home region: STS, Organizations and lookups without an ARN
    pub region: Option<Region>,
    /// Profile of the shared configuration files
    pub profile: Option<String>,
    /// Static credentials of the hub identity
    pub static_keys: Option<StaticKeys>,
    /// OIDC: exchanged for credentials before anything else
    pub web_identity: Option<WebIdentity>,
    /// The role to take before anything else, after `web_identity`
    pub assume_role: Option<AssumeRole>,
    /// How to enter every account but the caller's own
    pub member_role: MemberRole,
    /// Endpoints that replace those of AWS
    pub endpoints: Endpoints,
    /// Tags for every AWS object that the provider creates
    pub tags: BTreeMap<String, String>,
    /// Name and version for the user agent, such as `terraform-provider-rdsaccess` and `1.2.3`
    pub product: Product,
    /// How many requests may be under way at the same time, over all services, accounts and regions
    pub max_concurrency: usize,
    /// How long to wait for a state that refuses a change (`modifying`, `backing-up`, a group still in use)
    pub patience: Patience,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            static_keys: None,
            web_identity: None,
            assume_role: None,
            member_role: MemberRole::default(),
            endpoints: Endpoints::default(),
            tags: BTreeMap::new(),
            product: Product::default(),
            max_concurrency: 64,
            patience: Patience::default(),
        }
    }
}

/// Name and version of the program, for the user agent of every request.
#[derive(Debug, Clone)]
pub struct Product {
    /// Letters, digits and hyphens
    pub name: String,
    /// Version of the provider
    pub version: String,
}

impl Default for Product {
    fn default() -> Self {
        Self { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Credentials written in the provider block.
#[derive(Debug, Clone)]
pub struct StaticKeys {
    /// `AKIA…` or `ASIA…`
    pub access_key: String,
    /// Secret access key
    pub secret_key: Secret<String>,
    /// Session token of temporary credentials
    pub token: Option<Secret<String>>,
}

/// `assume_role_with_web_identity`
#[derive(Debug, Clone)]
pub struct WebIdentity {
    /// The role that trusts the identity provider
    pub role_arn: String,
    /// The token or where it is
    pub token: WebToken,
    /// Name of the session in CloudTrail
    pub session_name: Option<String>,
}

/// An OIDC token.
#[derive(Debug, Clone)]
pub enum WebToken {
    /// A file, read again at every renewal: CI systems and Kubernetes rotate it
    File(std::path::PathBuf),
    /// The token itself
    Inline(Secret<String>),
}

/// `assume_role`
#[derive(Debug, Clone, Default)]
pub struct AssumeRole {
    /// Full ARN of the role
    pub role_arn: String,
    /// Shared word that the trust policy asks for
    pub external_id: Option<String>,
    /// Name of the session in CloudTrail
    pub session_name: Option<String>,
    /// Length of the session; AWS takes 15 minutes to 12 hours, at most one hour from another role
    pub duration: Option<Span>,
    /// Session policy, JSON, that narrows the role
    pub policy: Option<String>,
    /// Session tags
    pub tags: BTreeMap<String, String>,
}

/// `member_role`: the role of the same name in every account.
#[derive(Debug, Clone)]
pub struct MemberRole {
    /// Name, with its path if it has one
    pub name: String,
    /// Shared word that the trust policies ask for
    pub external_id: Option<String>,
    /// Name of the session in CloudTrail; default `rdsaccess-<name of the caller>`
    pub session_name: Option<String>,
    /// Length of the session
    pub duration: Span,
    /// Accounts where the role is another one
    pub overrides: BTreeMap<AccountId, MemberOverride>,
}

impl Default for MemberRole {
    fn default() -> Self {
        Self {
            name: "HoopOrganizationAccountAccessRole".to_owned(),
            external_id: None,
            session_name: None,
            duration: Span::from_seconds(3600),
            overrides: BTreeMap::new(),
        }
    }
}

impl MemberRole {
    /// Name of the role in an account, with its path if it has one.
    pub fn name_in(&self, account: &AccountId) -> &str {
        self.overrides.get(account).and_then(|special| special.name.as_deref()).unwrap_or(&self.name)
    }
}

/// What differs in one account; what is left out is as in the rest of `member_role`.
#[derive(Debug, Clone, Default)]
pub struct MemberOverride {
    /// Name of the role in this account
    pub name: Option<String>,
    /// External id of the role in this account
    pub external_id: Option<String>,
}

/// Custom endpoints, full URLs.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// RDS
    pub rds: Option<String>,
    /// EC2
    pub ec2: Option<String>,
    /// STS
    pub sts: Option<String>,
    /// Organizations
    pub organizations: Option<String>,
    /// Secrets Manager
    pub secretsmanager: Option<String>,
}

/// Bounds for waiting on a state of AWS that passes by itself.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Time between two tries
    pub interval: std::time::Duration,
    /// Time after which the last error is reported
    pub limit: std::time::Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { interval: std::time::Duration::from_secs(10), limit: std::time::Duration::from_secs(20 * 60) }
    }
}
