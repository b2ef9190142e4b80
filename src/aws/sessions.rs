//! Sessions: from "this account, this region" to clients, with everything expensive shared and nothing done in advance.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use aws_config::SdkConfig;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_sdk_sts::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_sts::config::{FrameworkMetadata, IdentityCache, SharedHttpClient};
use aws_types::origin::Origin;
use aws_types::sdk_config::SharedTimeSource;

use super::credentials::{HeldCredentials, Source};
use super::http::{behavior_version, bounded_client};
use super::once::OncePerKey;
use super::organizations::{self, Standings};
use super::pace::{Load, PacedIdentities, Paces, SharedPace};
use super::profile::Profile;
use super::rds::Inventory;
use super::retry::RenewAndRetry;
use super::settings::{AssumeRole, Settings};
use super::{Call, Error, Fault};
use crate::access::{AccountId, Arn, Partition, Region};

/// Tries per call after broken connections and errors of a server, with a growing pause of at most 20 seconds. Throttled
/// answers do not count: see `pace`.
const MAX_ATTEMPTS: u32 = 8;
/// For how long one request may be throttled before it is given up.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10 * 60);
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
const READ_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Everything the provider knows of AWS while it runs. Cheap to clone; all clones share connections, credentials and
/// what was read.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    settings: Settings,
    http: OnceLock<SharedHttpClient>,
    retries: OnceLock<RetryPartition>,
    hub: OncePerKey<(), Arc<Hub>>,
    caller: OncePerKey<(), Arc<Caller>>,
    accounts: OncePerKey<AccountId, Arc<AccountAccess>>,
    standings: Standings,
    inventories: OncePerKey<(AccountId, Region), Arc<Inventory>>,
    load: Arc<Load>,
    paces: Paces,
    organizations: organizations::Shared,
    modify_locks: Mutex<HashMap<Arn, Arc<tokio::sync::Mutex<()>>>>,
}

/// The provider's own identity.
struct Hub {
    config: SdkConfig,
    region: Region,
    credentials: HeldCredentials,
    /// One client enters all accounts: a client for each would be the largest thing that is kept of it
    sts: aws_sdk_sts::Client,
}

/// How one account is entered.
#[derive(Debug)]
struct AccountAccess {
    credentials: HeldCredentials,
    identity: String,
}

/// Who the provider is, as STS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The caller's own account
    pub account_id: AccountId,
    /// The caller's own partition
    pub partition: Partition,
    /// ARN of the user or assumed role
    pub arn: String,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    /// Keeps the settings; no file is read and no call is made until something is asked for.
    pub fn new(settings: Settings) -> Self {
        let load = Arc::new(Load::new(settings.max_concurrency));
        Self(Arc::new(Inner {
            settings,
            organizations: organizations::Shared::default(),
            paces: Paces::new(load.clone(), PATIENCE),
            load,
            http: OnceLock::new(),
            retries: OnceLock::new(),
            hub: OncePerKey::default(),
            caller: OncePerKey::default(),
            accounts: OncePerKey::default(),
            standings: Standings::default(),
            inventories: OncePerKey::default(),
            modify_locks: Mutex::default(),
        }))
    }

    /// The same with another client under the bound on requests, for tests without a network.
    #[cfg(test)]
    pub(super) fn with_client(settings: Settings, client: SharedHttpClient) -> Self {
        let bounded = super::http::bounded(client.clone(), client, settings.max_concurrency);
        let sessions = Self::new(settings);
        sessions.0.http.get_or_init(|| bounded);
        sessions
    }

    /// The resolved provider settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The home region: `region` of the provider block, else that of the default chain.
    ///
    /// # Errors
    /// [`Fault::NoRegion`] when neither names one.
    pub async fn home_region(&self) -> Result<Region, Error> {
        Ok(self.hub().await?.region.clone())
    }

    /// Who the provider is. Asked once per process.
    ///
    /// # Errors
    /// No credentials, refused credentials, or STS cannot be reached.
    pub async fn caller(&self) -> Result<Arc<Caller>, Error> {
        self.0.caller.get(&(), || self.ask_caller()).await
    }

    /// A session in an account and region. The account is entered here, so that an error names the role; the caller's
    /// own account needs no role.
    ///
    /// # Errors
    /// [`Fault::CannotAssume`], [`Fault::AccountLeaving`], [`Fault::NotInOrganization`] and whatever
    /// [`Sessions::caller`] reports.
    pub async fn session(&self, account: &AccountId, region: &Region) -> Result<Session, Error> {
        let access = self.access(account).await?;
        let config = self.configure(&self.hub().await?.config, &access.credentials, region);
        Ok(Session {
            sessions: self.clone(),
            account: account.clone(),
            region: region.clone(),
            config,
            credentials: access.credentials.clone(),
            identity: access.identity.clone(),
        })
    }

    /// A session in the region and account of a database.
    ///
    /// # Errors
    /// As [`Sessions::session`]; [`Fault::Refused`] when the partition is not the caller's.
    pub async fn session_for(&self, arn: &Arn) -> Result<Session, Error> {
        let caller = self.caller().await?;
        if caller.partition != arn.partition {
            let text =
                format!("the credentials belong to partition {}, the ARN to {}", caller.partition, arn.partition);
            return Err(Call::new("sts:AssumeRole").on(arn).failed(Fault::Refused(text)));
        }
        self.session(&arn.account_id, &arn.region).await
    }

    /// Whether an account can be entered now.
    ///
    /// # Errors
    /// The reason why not.
    pub async fn check_access(&self, account: &AccountId) -> Result<(), Error> {
        self.access(account).await.map(drop)
    }

    /// As [`Sessions::check_access`], with the error of entering alone: Organizations is not asked.
    pub(super) async fn try_enter(&self, account: &AccountId) -> Result<(), Error> {
        self.0.accounts.get(account, || self.enter(account)).await.map(drop)
    }

    /// Whether an account that has an external id of its own in `overrides` takes the general one. An id that is meant
    /// for another account is never tried: the account would read it in its CloudTrail.
    pub(super) async fn enters_with_general_id(&self, account: &AccountId) -> bool {
        let general = &self.0.settings.member_role;
        let own = general.overrides.get(account).and_then(|special| special.external_id.as_ref());
        if own.is_none() || general.external_id.is_none() || own == general.external_id.as_ref() {
            return false;
        }
        let (Ok(hub), Ok(caller)) = (self.hub().await, self.caller().await) else { return false };
        let mut role = member_role(&self.0.settings, &caller, account);
        role.external_id.clone_from(&general.external_id);
        role_credentials(&hub, &caller, account, role).current().await.is_ok()
    }

    /// As [`Sessions::check_access`], for those who call [`Sessions::with_standing`] themselves, when they keep nobody
    /// else waiting.
    pub(super) async fn check_entry(&self, account: &AccountId) -> Result<(), Error> {
        self.entered(account).await.map(drop)
    }

    async fn entered(&self, account: &AccountId) -> Result<Arc<AccountAccess>, Error> {
        if let Some(error) = self.0.standings.lost(account) {
            return Err(error);
        }
        self.0.accounts.get(account, || self.enter(account)).await
    }

    async fn access(&self, account: &AccountId) -> Result<Arc<AccountAccess>, Error> {
        match self.entered(account).await {
            Err(error) => Err(self.with_standing(account, error).await),
            entered => entered,
        }
    }

    pub(super) fn standings(&self) -> &Standings {
        &self.0.standings
    }

    /// The credentials of the hub identity. Needs the network only when their source does.
    ///
    /// # Errors
    /// No credentials.
    pub async fn hub_credentials(&self) -> Result<Credentials, Error> {
        self.hub().await?.credentials.current().await
    }

    pub(super) fn inventories(&self) -> &OncePerKey<(AccountId, Region), Arc<Inventory>> {
        &self.0.inventories
    }

    /// How much is under way.
    pub(super) fn load(&self) -> &Arc<Load> {
        &self.0.load
    }

    pub(super) fn modify_mutex(&self, arn: &Arn) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.modify_locks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        locks.entry(arn.clone()).or_default().clone()
    }

    /// The Organizations client: the hub's, in the home region.
    pub(super) async fn organizations(&self) -> Result<(aws_sdk_organizations::Client, Call), Error> {
        let (client, caller) = (self.organizations_client().await?, self.caller().await?);
        let call = Call {
            account: Some(caller.account_id.clone()),
            ..Call::new("organizations:ListRoots").by(caller.arn.as_str())
        };
        Ok((client, call))
    }

    pub(super) async fn organizations_client(&self) -> Result<aws_sdk_organizations::Client, Error> {
        let hub = self.hub().await?;
        let endpoint = self.0.settings.endpoints.organizations.as_ref();
        let (config, pace) = self.paced(&hub.config, "organizations", None, &hub.region, endpoint);
        let config = aws_sdk_organizations::config::Builder::from(&config)
            .retry_partition(self.retries())
            .interceptor(pace)
            .retry_classifier(RenewAndRetry(hub.credentials.clone()));
        Ok(aws_sdk_organizations::Client::from_conf(config.build()))
    }

    /// What all calls to Organizations share.
    pub(super) fn organizations_shared(&self) -> &organizations::Shared {
        &self.0.organizations
    }

    async fn hub(&self) -> Result<Arc<Hub>, Error> {
        self.0.hub.get(&(), || self.load_hub()).await
    }

    async fn load_hub(&self) -> Result<Arc<Hub>, Error> {
        let settings = &self.0.settings;
        let base = self.load_base().await;
        let region = match (&settings.region, base.region()) {
            (Some(region), _) => region.clone(),
            (None, Some(name)) => {
                let invalid =
                    |e: crate::access::Invalid| Call::new("sts:GetCallerIdentity").failed(Fault::Refused(e.0));
                name.as_ref().parse().map_err(invalid)?
            }
            (None, None) => return Err(Call::new("sts:GetCallerIdentity").failed(Fault::NoRegion)),
        };
        let clock = base.time_source().unwrap_or_default();
        let no_source =
            || Call::new("sts:GetCallerIdentity").failed(Fault::NoCredentials("no source is set".to_owned()));
        let chain = base.credentials_provider().ok_or_else(no_source)?;
        let mut credentials = HeldCredentials::new(Source::Chain(chain), clock.clone());
        let sts = |credentials: &HeldCredentials| {
            self.sts(&self.configure(&base, credentials, &region), credentials, &region)
        };
        if let Some(identity) = settings.web_identity.clone() {
            let call = Call::new("sts:AssumeRoleWithWebIdentity").on(&identity.role_arn);
            let source = Source::WebIdentity { sts: sts(&credentials), identity, call };
            credentials = HeldCredentials::new(source, clock.clone());
        }
        if let Some(role) = settings.assume_role.clone() {
            let call = Call::new("sts:AssumeRole").on(&role.role_arn);
            let source = Source::Role { sts: sts(&credentials), role, call };
            credentials = HeldCredentials::new(source, clock);
        }
        let config = self.configure(&base, &credentials, &region);
        let sts = self.sts(&config, &credentials, &region);
        Ok(Arc::new(Hub { config, region, credentials, sts }))
    }

    /// The SDK's default chain with our transport, retries and names.
    async fn load_base(&self) -> SdkConfig {
        let settings = &self.0.settings;
        let mut loader = aws_config::defaults(behavior_version())
            .http_client(self.http())
            .retry_config(retry_config())
            .timeout_config(timeout_config())
            .identity_cache(IdentityCache::no_cache());
        let product = &settings.product;
        if let Ok(metadata) = FrameworkMetadata::new(product.name.clone(), Some(product.version.clone())) {
            loader = loader.framework_metadata(metadata);
        }
        if let Some(region) = &settings.region {
            loader = loader.region(sdk_region(region));
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile).credentials_provider(self.profile(profile).await);
        }
        if let Some(keys) = &settings.static_keys {
            let token = keys.token.as_ref().map(|t| t.expose().clone());
            let secret = keys.secret_key.expose().clone();
            loader = loader.credentials_provider(Credentials::new(&keys.access_key, secret, token, None, "provider"));
        }
        loader.load().await
    }

    async fn profile(&self, name: &str) -> Profile {
        let config = ProviderConfig::without_region()
            .with_http_client(self.http())
            .with_retry_config(retry_config())
            .with_timeout_config(timeout_config());
        Profile::new(name, config, self.0.settings.region.as_ref().map(sdk_region)).await
    }

    fn configure(&self, base: &SdkConfig, credentials: &HeldCredentials, region: &Region) -> SdkConfig {
        base.to_builder().region(sdk_region(region)).credentials_provider(credentials.provider()).build()
    }

    async fn ask_caller(&self) -> Result<Arc<Caller>, Error> {
        let hub = self.hub().await?;
        let call = Call { region: Some(hub.region.clone()), ..Call::new("sts:GetCallerIdentity") };
        hub.credentials.current().await?;
        let answer = hub.sts.get_caller_identity().send().await.map_err(|e| call.clone().refused(&e))?;
        let arn = answer.arn().unwrap_or_default();
        let unexpected = || call.clone().failed(Fault::Unexpected(format!("`{arn}` is not the ARN of a caller")));
        let mut parts = arn.split(':');
        let partition = parts.nth(1).and_then(|p| p.parse().ok()).ok_or_else(unexpected)?;
        let account_id = parts.nth(2).and_then(|a| a.parse().ok()).ok_or_else(unexpected)?;
        Ok(Arc::new(Caller { account_id, partition, arn: arn.to_owned() }))
    }

    async fn enter(&self, account: &AccountId) -> Result<Arc<AccountAccess>, Error> {
        let (hub, caller) = (self.hub().await?, self.caller().await?);
        if caller.account_id == *account {
            let identity = caller.arn.clone();
            return Ok(Arc::new(AccountAccess { credentials: hub.credentials.clone(), identity }));
        }
        let role = member_role(&self.0.settings, &caller, account);
        let identity = role.role_arn.clone();
        let credentials = role_credentials(&hub, &caller, account, role);
        credentials.current().await?;
        Ok(Arc::new(AccountAccess { credentials, identity }))
    }

    fn sts(&self, config: &SdkConfig, credentials: &HeldCredentials, region: &Region) -> aws_sdk_sts::Client {
        let endpoint = self.0.settings.endpoints.sts.as_ref();
        let (config, pace) = self.paced(config, "sts", None, region, endpoint);
        let config = aws_sdk_sts::config::Builder::from(&config)
            .retry_partition(self.retries())
            .interceptor(pace)
            .retry_classifier(RenewAndRetry(credentials.clone()));
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// What all clients of a service have: its pace, which the clients also have to be told of, and its endpoint. The
    /// SDK has no type that is common to the configurations of its services.
    fn paced(
        &self,
        config: &SdkConfig,
        service: &'static str,
        account: Option<&AccountId>,
        region: &Region,
        endpoint: Option<&String>,
    ) -> (SdkConfig, SharedPace) {
        let pace = self.0.paces.of(service, account, region);
        let mut config = config.to_builder().identity_cache(PacedIdentities(pace.clone()));
        if let Some(url) = endpoint {
            config.set_endpoint_url(Some(url.clone()));
            // What the provider block says comes before the environment and the shared configuration files.
            config.insert_origin("endpoint_url", Origin::shared_config());
        }
        (config.build(), SharedPace(pace))
    }

    fn http(&self) -> SharedHttpClient {
        self.0.http.get_or_init(|| bounded_client(self.0.settings.max_concurrency)).clone()
    }

    /// The SDK shares one retry quota between all clients of a service, so that one throttled account would take the
    /// retries away from a thousand others. The number of tries per call and the bound on requests are limit enough.
    pub(super) fn retries(&self) -> RetryPartition {
        let unlimited = || RetryPartition::custom("rdsaccess").token_bucket(TokenBucket::unlimited()).build();
        self.0.retries.get_or_init(unlimited).clone()
    }
}

/// The credentials of a role in an account, not asked for yet.
fn role_credentials(hub: &Hub, caller: &Caller, account: &AccountId, role: AssumeRole) -> HeldCredentials {
    let call = Call {
        account: Some(account.clone()),
        region: Some(hub.region.clone()),
        ..Call::new("sts:AssumeRole").by(caller.arn.as_str())
    };
    let clock: SharedTimeSource = hub.config.time_source().unwrap_or_default();
    HeldCredentials::new(Source::Role { sts: hub.sts.clone(), role, call }, clock)
}

/// The role that opens an account: `member_role` with what its override replaces, in the caller's partition.
fn member_role(settings: &Settings, caller: &Caller, account: &AccountId) -> AssumeRole {
    let general = &settings.member_role;
    let special = general.overrides.get(account);
    let name = general.name_in(account);
    let external_id = special.and_then(|o| o.external_id.clone()).or_else(|| general.external_id.clone());
    AssumeRole {
        role_arn: format!("arn:{}:iam::{account}:role/{}", caller.partition, name.trim_start_matches('/')),
        external_id,
        session_name: Some(general.session_name.clone().unwrap_or_else(|| session_name(&caller.arn))),
        duration: Some(general.duration),
        ..AssumeRole::default()
    }
}

/// `rdsaccess-<name of the caller>`, so that CloudTrail of a member account shows who came; 2 to 64 characters of
/// letters, digits and `_+=,.@-`.
fn session_name(caller_arn: &str) -> String {
    let name = caller_arn.rsplit(['/', ':']).next().unwrap_or_default();
    let name = name.strip_prefix("rdsaccess-").unwrap_or(name);
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c);
    format!("rdsaccess-{}", name.chars().filter(allowed).collect::<String>()).chars().take(64).collect()
}

fn retry_config() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS)
}

fn timeout_config() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build()
}

fn sdk_region(region: &Region) -> aws_config::Region {
    aws_config::Region::new(region.to_string())
}

/// One account and region, entered. Clients are made on demand: what they share (connections, credentials, retries)
/// lives in [`Sessions`], and thousands of them need not be kept.
#[derive(Clone)]
pub struct Session {
    pub(super) sessions: Sessions,
    /// The account
    pub account: AccountId,
    /// The region
    pub region: Region,
    config: SdkConfig,
    credentials: HeldCredentials,
    identity: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The SDK's configuration would print the environment of the process.
        let Self { account, region, identity, .. } = self;
        f.debug_struct("Session").field("account", account).field("region", region).field("identity", identity).finish()
    }
}

impl Session {
    /// ARN of the role or caller that acts in the account.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The credentials of the account.
    ///
    /// # Errors
    /// They cannot be renewed.
    pub async fn credentials(&self) -> Result<Credentials, Error> {
        self.credentials.current().await
    }

    pub(super) fn call(&self, action: &'static str) -> Call {
        Call {
            account: Some(self.account.clone()),
            region: Some(self.region.clone()),
            ..Call::new(action).by(self.identity.as_str())
        }
    }

    fn paced(&self, service: &'static str, endpoint: Option<&String>) -> (SdkConfig, SharedPace) {
        self.sessions.paced(&self.config, service, Some(&self.account), &self.region, endpoint)
    }

    fn renewal(&self) -> RenewAndRetry {
        RenewAndRetry(self.credentials.clone())
    }

    pub(super) fn rds(&self) -> aws_sdk_rds::Client {
        let (config, pace) = self.paced("rds", self.sessions.settings().endpoints.rds.as_ref());
        let config = aws_sdk_rds::config::Builder::from(&config).retry_partition(self.sessions.retries());
        aws_sdk_rds::Client::from_conf(config.interceptor(pace).retry_classifier(self.renewal()).build())
    }

    pub(super) fn ec2(&self) -> aws_sdk_ec2::Client {
        let (config, pace) = self.paced("ec2", self.sessions.settings().endpoints.ec2.as_ref());
        let config = aws_sdk_ec2::config::Builder::from(&config).retry_partition(self.sessions.retries());
        aws_sdk_ec2::Client::from_conf(config.interceptor(pace).retry_classifier(self.renewal()).build())
    }

    pub(super) fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let (config, pace) = self.paced("secretsmanager", self.sessions.settings().endpoints.secretsmanager.as_ref());
        let config = aws_sdk_secretsmanager::config::Builder::from(&config).retry_partition(self.sessions.retries());
        aws_sdk_secretsmanager::Client::from_conf(config.interceptor(pace).retry_classifier(self.renewal()).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::settings::MemberOverride;

    fn caller(partition: Partition, arn: &str) -> Caller {
        Caller { account_id: "111111111111".parse().unwrap(), partition, arn: arn.to_owned() }
    }

    #[test]
    fn the_member_role_lives_in_the_callers_partition_and_tells_who_came() {
        let caller = caller(Partition::GovCloud, "arn:aws-us-gov:sts::111111111111:assumed-role/ci/alice@example.com");
        let role = member_role(&Settings::default(), &caller, &"222222222222".parse().unwrap());
        assert_eq!(role.role_arn, "arn:aws-us-gov:iam::222222222222:role/HoopOrganizationAccountAccessRole");
        assert_eq!(role.session_name.as_deref(), Some("rdsaccess-alice@example.com"));
        assert_eq!(role.duration.unwrap().seconds(), 3600);
    }

    #[test]
    fn an_override_replaces_what_it_names_in_its_account_only() {
        let (special, other): (AccountId, AccountId) =
            ("222222222222".parse().unwrap(), "333333333333".parse().unwrap());
        let mut settings = Settings::default();
        settings.member_role.external_id = Some("general".to_owned());
        let replaced = MemberOverride { name: Some("/ops/Db".to_owned()), external_id: None };
        settings.member_role.overrides.insert(special.clone(), replaced);
        let caller = caller(Partition::Aws, "arn:aws:iam::111111111111:user/ops/bob");
        let role = member_role(&settings, &caller, &special);
        assert_eq!(role.role_arn, "arn:aws:iam::222222222222:role/ops/Db");
        assert_eq!(role.external_id.as_deref(), Some("general"));
        assert!(member_role(&settings, &caller, &other).role_arn.ends_with("role/HoopOrganizationAccountAccessRole"));
    }

    #[test]
    fn a_session_name_fits_the_rule_of_sts() {
        let long = format!("arn:aws:sts::1:assumed-role/x/{}", "a".repeat(80));
        assert_eq!(session_name(&long).len(), 64);
        assert_eq!(session_name("arn:aws:iam::111111111111:root"), "rdsaccess-root");
        assert_eq!(session_name("arn:aws:sts::1:assumed-role/ci/rdsaccess-provider"), "rdsaccess-provider");
        assert_eq!(session_name("arn:aws:sts::1:federated-user/Jürgen Q"), "rdsaccess-JrgenQ");
    }

    #[test]
    fn the_futures_may_move_between_threads() {
        fn check(_: impl Send) {}
        let sessions = Sessions::new(Settings::default());
        let arn: Arn = "arn:aws:rds:eu-west-1:123456789012:db:ledger".parse().unwrap();
        check(sessions.organization());
        check(sessions.account_tags([arn.account_id.clone()]));
        check(sessions.describe(&arn));
        check(sessions.entry(&arn.account_id));
        check(sessions.describe_now(&arn));
        check(sessions.inventory(&arn.account_id, &arn.region));
        check(sessions.enabled_regions(&arn.account_id));
        check(sessions.modify_lock(&arn));
        check(sessions.secrets(&arn.account_id, &arn.region));
        check(sessions.security_groups(&arn.account_id, &arn.region));
    }
}
