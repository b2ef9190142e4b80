//! The provider block as it is written.

use std::collections::BTreeMap;

use crate::access::{AccountId, Region, Secret, Span, TlsMode};
use crate::gateway::BaseUrl;
use crate::model;
use crate::report::Report;
use crate::schema::{Kind, Shape, misfit};
use crate::store::vault::{Address, AuthMount, Namespace};
use crate::store::{ONE_STORE, StoreBlock, is_one_store};
use crate::value::{Path, Value};

model! {
    /// Controlled access to every RDS database of an AWS Organization, from one provider block.
    ///
    /// The provider reaches each account through a role of the same name, so `for_each` over discovered databases needs
    /// no provider aliases. Configuring the provider makes no network call.
    ///
    /// An account that leaves the organization keeps its databases, so what the state holds of it is kept and its destroy
    /// is refused. AWS removes a closed account for good after 90 days, which looks the same: from then on an apply that
    /// would destroy what is left of it fails until `terraform state rm` or `removed` blocks let it go. The guide *A whole
    /// organization* has the steps.
    ///
    /// Not covered: creating agents of the gateway or inviting accounts, the gateway's own OIDC settings and Svix
    /// endpoints. RDS Proxy is no target.
    pub struct ProviderModel {
        /// Home region: for STS, Organizations and lookups that name no region. Databases carry their region in their ARN.
        region: Region = optional().default_words("the AWS default chain"),
        /// Profile of the shared configuration files.
        profile: String = optional().not_empty().default_words("the AWS default chain"),
        /// Access key of the hub identity. Prefer the default chain, or an ephemeral variable.
        access_key: Secret<String> = optional(),
        /// Secret access key of the hub identity.
        secret_key: Secret<String> = optional(),
        /// Session token of the hub identity.
        token: Secret<String> = optional(),
        /// A role to take before anything else.
        assume_role: AssumeRole = optional(),
        /// OpenID Connect: a token of a CI system or of Kubernetes for a role, without any stored key. Before `assume_role`.
        assume_role_with_web_identity: WebIdentity = optional()
            .default_words("the environment variables `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE`"),
        /// How to enter every account other than the caller's own.
        member_role: MemberRole = optional(),
        /// Custom endpoints, full URLs.
        endpoints: Endpoints = optional(),
        /// The Hoop gateway whose connections are managed.
        gateway: Gateway = optional(),
        /// HashiCorp Vault or OpenBao, for `store = { vault = { … } }` and for secrets that are referred to there.
        vault: VaultServer = optional(),
        /// Where generated secrets live; a resource may say otherwise. A change is for new secrets and the next
        /// rotation of old ones. A role without `admin` looks for its administrator at the new place at once, so rotate
        /// the master passwords with the change, or set `admin` on the roles first. Connections refer to a secret of
        /// Secrets Manager by its name, which the gateway's agent looks up in its own account and region: when it runs
        /// elsewhere than its databases, set account and region of the store to where it runs.
        store: StoreBlock = optional()
            .check(ONE_STORE, is_one_store)
            .default_words("AWS Secrets Manager in the database's account and region"),
        /// How servers of databases are verified.
        tls: Tls = optional(),
        /// What a refresh does with a target that AWS says exists but that cannot be reached or entered: `fail` stops
        /// the plan, `keep` keeps the prior state with one warning per target. Where an account cannot be entered and
        /// AWS Organizations says that it is suspended, closing, closed or no longer in the organization, the prior
        /// state is kept in any case; the hub needs `organizations:DescribeAccount` for that.
        on_unreachable: String = optional().one_of(&["fail", "keep"]).defaults_to("fail"),
        /// What a refresh looks at: `database` opens sessions on the databases, `aws` asks AWS, the gateway and
        /// the stores only, for plans on pull requests. Also from the environment variable `RDSACCESS_REFRESH`.
        refresh: String = optional().one_of(&["database", "aws"]).default_words("`RDSACCESS_REFRESH`, else `database`"),
        /// Tags for every AWS object that the provider creates.
        tags: BTreeMap<String, String> = optional(),
        /// Lets `rdsaccess_notification` run commands on the machine that runs Terraform, with the rights of its user.
        allow_command: bool = optional().defaults_to(false),
        /// The most requests to AWS at the same time.
        max_concurrency: i64 = optional().between(1, 1_024).defaults_to(64),
        /// The most connections to one database at the same time, whoever logs in: administrators and roles whose
        /// passwords are tried. While something is changed one of them holds the lock of the writer; with `1` that one
        /// comes on top.
        max_connections_per_target: i64 = optional().between(1, 64).defaults_to(3),
    }
}

model! {
    /// A role to take.
    pub struct AssumeRole {
        /// ARN of the role.
        role_arn: RoleArn = required(),
        /// External id that the trust policy asks for.
        external_id: String = optional().not_empty(),
        /// Name of the session in CloudTrail.
        session_name: String = optional().check(SESSION_NAME, is_session_name).default_words("`rdsaccess-provider`"),
        /// Length of the session, `15m` to `12h`; at most `1h` where the provider is a role already (role chaining). It is
        /// renewed before it ends.
        duration: Span = optional().check("between 15m and 12h", session_length),
        /// Session policy as JSON, which narrows the role.
        policy: String = optional().not_empty(),
        /// Session tags.
        tags: BTreeMap<String, String> = optional(),
    }
}

model! {
    /// A role to take with a token of an OpenID Connect identity provider. Set exactly one of `token_file` and `token`.
    pub struct WebIdentity {
        /// ARN of the role; its trust policy names the identity provider.
        role_arn: RoleArn = required(),
        /// File with the token, read again at every renewal: CI systems and Kubernetes renew it there.
        token_file: String = optional().not_empty(),
        /// The token. Prefer `token_file`, or an ephemeral variable.
        token: Secret<String> = optional(),
        /// Name of the session in CloudTrail.
        session_name: String = optional().check(SESSION_NAME, is_session_name).default_words("`rdsaccess-provider`"),
    }
}

model! {
    /// The role of the same name in every member account.
    pub struct MemberRole {
        /// Name of the role, with its path if it has one.
        name: String = optional().check(ROLE_NAME, is_role_name).defaults_to("HoopOrganizationAccountAccessRole"),
        /// External id that the trust policies ask for.
        external_id: String = optional().not_empty(),
        /// Name of the session in CloudTrail.
        session_name: String = optional()
            .check(SESSION_NAME, is_session_name)
            .default_words("`rdsaccess-` and the name of the caller"),
        /// Length of the session, `15m` to `12h`; it is renewed before it ends. More than `1h` is for a hub that is an IAM
        /// user: AWS limits the session of a role that is taken by a role.
        duration: Span = optional().check("between 15m and 12h", session_length).defaults_to("1h"),
        /// Accounts where the role is another one, by account id.
        overrides: BTreeMap<String, MemberOverride> = optional()
            .check("a map with account ids of 12 digits as keys", account_ids),
    }
}

model! {
    /// What differs in one account.
    pub struct MemberOverride {
        /// Name of the role in this account.
        name: String = optional().check(ROLE_NAME, is_role_name),
        /// External id of the role in this account.
        external_id: String = optional().not_empty(),
    }
}

model! {
    /// Custom endpoints of AWS services.
    pub struct Endpoints {
        /// RDS.
        rds: String = optional().check("an http or https URL", is_url),
        /// EC2.
        ec2: String = optional().check("an http or https URL", is_url),
        /// STS. What a `profile` asks for itself (`role_arn` with `source_profile` or a token) follows the SDK's own
        /// settings: the variable `AWS_ENDPOINT_URL_STS`, or `services` in the profile.
        sts: String = optional().check("an http or https URL", is_url),
        /// Organizations.
        organizations: String = optional().check("an http or https URL", is_url),
        /// Secrets Manager.
        secretsmanager: String = optional().check("an http or https URL", is_url),
    }
}

model! {
    /// The API of a Hoop gateway.
    pub struct Gateway {
        /// Address of the gateway, with or without `/api`. Also from the environment variable `HOOP_APIURL`.
        url: String = optional().check("the address of a gateway, such as `https://hoop.example.com`", is_gateway),
        /// API key `hpk_…` with the group `admin`. Also from the environment variable `HOOP_APIKEY`. Prefer that, or an
        /// ephemeral variable.
        token: Secret<String> = optional(),
        /// Certificates to trust besides those of the operating system, PEM text: write `file("ca.pem")`.
        ca_bundle: String = optional().not_empty(),
    }
}

model! {
    /// A server of HashiCorp Vault or OpenBao.
    pub struct VaultServer {
        /// Address of the server. Also from the environment variable `VAULT_ADDR`.
        address: String = optional().check("the address of a server, such as `https://vault.example.com:8200`", is_vault),
        /// Namespace. Also from the environment variable `VAULT_NAMESPACE`. The gateway's agent knows none: a connection
        /// cannot refer to a secret in a namespace.
        namespace: String = optional().check("a path such as `admin/team`", is_namespace),
        /// Certificates to trust besides those of the operating system, PEM text: write `file("ca.pem")`. Also from the
        /// file that the environment variable `VAULT_CACERT` names.
        ca_bundle: String = optional().not_empty(),
        /// How to log in, exactly one way. Tokens are shared by all resources and renewed before they end.
        auth: VaultAuth = optional().default_words("the token in `VAULT_TOKEN`"),
    }
}

model! {
    /// How to log in to Vault.
    pub struct VaultAuth {
        /// A token. Also from the environment variable `VAULT_TOKEN`. Prefer that, or an ephemeral variable.
        token: Secret<String> = optional(),
        /// AppRole.
        approle: VaultAppRole = optional(),
        /// AWS IAM: Vault asks AWS who signed a request of the hub identity.
        aws_iam: VaultAwsIam = optional(),
        /// A JWT, such as a CI system or Kubernetes gives.
        jwt: VaultJwt = optional(),
    }
}

model! {
    /// Login by AppRole.
    pub struct VaultAppRole {
        /// Role id.
        role_id: String = required().not_empty(),
        /// Secret id.
        secret_id: Secret<String> = required(),
        /// Mount of the method.
        mount: String = optional().check("the path of a mount", is_auth_mount).defaults_to("approle"),
    }
}

model! {
    /// Login by AWS IAM.
    pub struct VaultAwsIam {
        /// Role in Vault.
        role: String = required().not_empty(),
        /// Mount of the method.
        mount: String = optional().check("the path of a mount", is_auth_mount).defaults_to("aws"),
        /// Value of the header `X-Vault-AWS-IAM-Server-ID`, where Vault asks for one.
        header_value: String = optional().not_empty(),
        /// Region of the endpoint of STS, where Vault is configured with a regional one.
        sts_region: Region = optional().default_words("the global endpoint"),
    }
}

model! {
    /// Login by JWT.
    pub struct VaultJwt {
        /// Role in Vault.
        role: String = required().not_empty(),
        /// The JWT. Prefer `token_file`, or an ephemeral variable.
        token: Secret<String> = optional(),
        /// File with the JWT, read again at every login.
        token_file: String = optional().not_empty(),
        /// Mount of the method.
        mount: String = optional().check("the path of a mount", is_auth_mount).defaults_to("jwt"),
    }
}

model! {
    /// TLS to databases.
    pub struct Tls {
        /// Certificates to trust besides the RDS roots that are built in, PEM text: write `file("ca.pem")`.
        ca_bundle: String = optional().not_empty(),
        /// `verify-full` checks the chain and the host name, `verify-ca` the chain only, `disable` switches TLS off.
        mode: TlsMode = optional().defaults_to("verify-full"),
    }
}

/// The ARN of an IAM role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn(pub String);

impl Kind for RoleArn {
    fn shape() -> Shape {
        String::shape()
    }

    fn decode(value: &Value, at: &Path, problems: &mut Vec<Report>) -> Option<Self> {
        let text = String::decode(value, at, problems)?;
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let fits = matches!(parts[..], ["arn", _, "iam", "", account, resource]
            if account.parse::<AccountId>().is_ok() && resource.len() > 5 && resource.starts_with("role/"));
        if fits {
            Some(Self(text))
        } else {
            let why =
                format!("`{text}` is not the ARN of a role: `arn:<partition>:iam::<account>:role/<name>` is expected");
            problems.push(misfit(at, why));
            None
        }
    }

    fn encode(&self) -> Value {
        self.0.as_str().into()
    }
}

fn is_url(value: &Value) -> bool {
    match value {
        Value::String(text) => ["http://", "https://"]
            .iter()
            .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.contains(' '))),
        _ => true,
    }
}

fn is_gateway(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<BaseUrl>().is_ok(),
        _ => true,
    }
}

fn is_vault(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<Address>().is_ok(),
        _ => true,
    }
}

fn is_namespace(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<Namespace>().is_ok(),
        _ => true,
    }
}

fn is_auth_mount(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<AuthMount>().is_ok(),
        _ => true,
    }
}

/// What STS takes as the name of a session.
const SESSION_NAME: &str = "2 to 64 letters, digits and characters of `_+=,.@-`";

fn is_session_name(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            (2..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
        }
        _ => true,
    }
}

const ROLE_NAME: &str = "the name of a role: letters, digits and `_+=,.@-`, at most 64, with its path before a `/`";

/// What an ARN would take for a pattern or for a part of its own is refused: policies name the role by its ARN.
fn is_role_name(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let name = text.rsplit('/').next().unwrap_or_default();
            (1..=64).contains(&name.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c))
        }
        _ => true,
    }
}

fn session_length(value: &Value) -> bool {
    match value {
        Value::String(text) => text.parse::<Span>().map_or(true, |span| (900..=43_200).contains(&span.seconds())),
        _ => true,
    }
}

fn account_ids(value: &Value) -> bool {
    match value {
        Value::Map(entries) => entries.keys().all(|key| key.parse::<AccountId>().is_ok()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_role_holds_no_pattern_and_no_variable() {
        let is_role_name = |text: &str| is_role_name(&Value::from(text));
        for name in ["HoopOrganizationAccountAccessRole", "/team/a/Reader", "team/a_b+c=d,e.f@g-h", &"x".repeat(64)] {
            assert!(is_role_name(name), "{name}");
        }
        for other in ["", "*", "team/*", "team/", "Read?r", "${aws:username}", "a:b", "a b", &"x".repeat(65)] {
            assert!(!is_role_name(other), "{other}");
        }
    }
}
