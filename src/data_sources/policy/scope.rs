//! Which ARNs and conditions the rows of the table mean, for one holder of the permissions.

use std::collections::BTreeSet;

use crate::access::{AccountId, Arn, MANAGED_TAG, Region, TargetKind};
use crate::store::SecretsManagerSettings;

use super::actions::{On, Permission, When};
use super::feature::KeyArn;
use super::statement::Conditions;
use super::user::User;

/// The key without which nobody needs a permission: its own policy lets in everybody who comes through Secrets Manager.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// A database that permissions are for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Database {
    /// Its ARN
    pub arn: Arn,
    /// `DbiResourceId` or `DbClusterResourceId`; `None` when it could not be asked for
    pub resource_id: Option<String>,
}

/// What the permissions of one holder reach.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// Partition of patterns
    pub partition: String,
    /// Accounts of patterns: `*`, those of the hub, or what CloudFormation puts there
    pub accounts: BTreeSet<String>,
    /// The databases; `None` stands for all databases in the account of the holder
    pub databases: Option<Vec<Database>>,
    /// Secrets Manager as the store; `None` when secrets are in Vault
    pub store: Option<SecretsManagerSettings>,
    /// Keys besides that of the store
    pub keys: BTreeSet<KeyArn>,
    /// Users that log in with tokens
    pub token_users: BTreeSet<User>,
    /// Users whose secrets are meant; `None` stands for all users of a database, and for secrets not made yet
    pub secret_users: Option<BTreeSet<User>>,
    /// The roles that open accounts
    pub member_roles: BTreeSet<String>,
    /// The region that the provider itself is at home in
    pub home_region: Option<Region>,
    /// What is in these accounts alone
    pub only: Option<BTreeSet<AccountId>>,
    /// Whether the holder has nothing to do in other accounts
    pub stays_at_home: bool,
    /// A condition of every statement
    pub always: Conditions,
}

/// One statement's worth of ARNs.
#[derive(Debug)]
pub(super) struct Part {
    /// Tells the parts of one group apart in a `Sid`; empty for the first
    pub name: &'static str,
    /// Sorted
    pub resources: BTreeSet<String>,
    /// What must hold besides
    pub conditions: Conditions,
}

impl Scope {
    /// Whether a row says anything here.
    pub(super) fn takes(&self, permission: &Permission) -> bool {
        let store = self.store.as_ref();
        match (permission.action, permission.on) {
            // Removing is another matter: a secret can have replicas from before `replica_regions` was changed.
            ("secretsmanager:ReplicateSecretToRegions", _) => {
                store.is_some_and(|store| !store.replica_regions.is_empty())
            }
            // Only a key that is named is ever set on a secret that is there.
            ("secretsmanager:UpdateSecret", On::Secrets) => store.is_some_and(|store| store.kms_key_id.is_some()),
            // Only a database of this account makes anybody ask.
            (_, On::Everything) if permission.when != When::Always => {
                self.databases.as_ref().is_none_or(|d| !d.is_empty())
            }
            _ => permission.kind.is_none_or(|kind| self.has(kind)),
        }
    }

    fn has(&self, kind: TargetKind) -> bool {
        self.databases.as_ref().is_none_or(|databases| databases.iter().any(|database| database.arn.kind == kind))
    }

    /// The statements of a group of rows; none where there is nothing to allow.
    pub(super) fn parts(&self, on: On, when: When) -> Vec<Part> {
        let mut parts = match (on, when) {
            (On::StoreKey, _) => vec![self.exact_key(), self.aliased_key()],
            (On::ManagedSecrets, When::BelongsToDatabase) if self.databases.is_some() => {
                vec![self.managed_of(TargetKind::Instance), self.managed_of(TargetKind::Cluster)]
            }
            _ => vec![Part { name: "", resources: self.resources(on), conditions: Conditions::default() }],
        };
        for part in &mut parts {
            part.resources.retain(|arn| self.is_meant(arn));
            self.add_conditions(part, when);
        }
        parts.retain(|part| !part.resources.is_empty());
        parts
    }

    fn is_meant(&self, arn: &str) -> bool {
        // Which account owns a shared VPC is not known, whoever asks.
        let of_any = arn == "*" || account_of(arn) == Some("*");
        let is_in = |only: &BTreeSet<AccountId>| only.iter().any(|account| account_of(arn) == Some(account.as_str()));
        self.only.as_ref().is_none_or(|only| of_any || is_in(only))
    }

    fn resources(&self, on: On) -> BTreeSet<String> {
        match on {
            On::Everything => BTreeSet::from(["*".to_owned()]),
            On::Units => self.organization(&["ou/o-*/ou-*", "root/o-*/r-*"]),
            On::Accounts => self.organization(&["account/o-*/*"]),
            On::MemberRoles => self.member_roles.clone(),
            On::Lists => self.in_places("rds", &["cluster:*", "db:*"]),
            On::SubnetGroups => self.in_places("rds", &["subgrp:*"]),
            On::Databases => match &self.databases {
                Some(databases) => databases.iter().map(|database| database.arn.to_string()).collect(),
                None => self.in_places("rds", &["cluster:*", "db:*"]),
            },
            On::Groups => self.in_places("ec2", &["security-group/*"]),
            On::Rules => self.in_places("ec2", &["security-group-rule/*"]),
            On::Vpcs => self.vpcs(),
            On::Secrets => self.secrets(),
            On::ManagedSecrets => self.managed_secrets(),
            On::StoreKey => BTreeSet::new(),
            On::OtherKeys => self.keys.iter().map(ToString::to_string).collect(),
            On::AnyKey => self.in_places("kms", &["key/*"]),
            On::DatabaseUsers => self.database_users(),
        }
    }

    fn organization(&self, resources: &[&str]) -> BTreeSet<String> {
        resources.iter().map(|resource| format!("arn:{}:organizations::*:{resource}", self.partition)).collect()
    }

    /// Every region and account that has a database.
    fn places(&self) -> BTreeSet<(String, String)> {
        match &self.databases {
            Some(all) => all.iter().map(|d| (d.arn.region.to_string(), d.arn.account_id.to_string())).collect(),
            None => self.accounts.iter().map(|account| ("*".to_owned(), account.clone())).collect(),
        }
    }

    /// Resources in every account and region that has a database.
    fn in_places(&self, service: &str, resources: &[&str]) -> BTreeSet<String> {
        let arn = |(region, account): &(String, String), resource: &str| {
            format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition)
        };
        let places = self.places();
        places.iter().flat_map(|place| resources.iter().map(move |resource| arn(place, resource))).collect()
    }

    /// VPCs in the regions of the databases. One that is shared has the account of its owner in its ARN.
    fn vpcs(&self) -> BTreeSet<String> {
        let arn = |(region, _): (String, String)| format!("arn:{}:ec2:{region}:*:vpc/*", self.partition);
        self.places().into_iter().map(arn).collect()
    }

    /// The beginnings of the secrets' names, with the region and account that hold them.
    fn secret_places(&self) -> Vec<(String, String, String)> {
        let Some(store) = &self.store else { return Vec::new() };
        let region = |own: &str| store.region.as_ref().map_or_else(|| own.to_owned(), Region::to_string);
        let account = |own: &str| store.account_id.as_ref().map_or_else(|| own.to_owned(), AccountId::to_string);
        let place = |own_region: &str, own_account: &str, kind: TargetKind, identifier: &str, of_account: &str| {
            let word = kind.arn_word();
            let name = format!("{}{of_account}/{own_region}/{word}/{identifier}/", store.name_prefix);
            (region(own_region), account(own_account), name)
        };
        match &self.databases {
            Some(databases) => databases
                .iter()
                .map(|Database { arn, .. }| {
                    let (region, account) = (arn.region.as_str(), arn.account_id.as_str());
                    place(region, account, arn.kind, &arn.identifier, account)
                })
                .collect(),
            None => {
                // A store for all accounts holds the secrets of all accounts.
                let of = |own: &str| if store.account_id.is_some() { "*".to_owned() } else { own.to_owned() };
                let kinds = [TargetKind::Instance, TargetKind::Cluster];
                let of_kind = |kind| self.accounts.iter().map(move |own| place("*", own, kind, "*", &of(own)));
                kinds.into_iter().flat_map(of_kind).collect()
            }
        }
    }

    fn secrets(&self) -> BTreeSet<String> {
        let endings: Vec<String> = match &self.secret_users {
            // Six characters that AWS draws follow the name; a name that ends in `*` also matches what does not exist yet.
            Some(users) => users.iter().flat_map(User::secret_names).map(|name| format!("{name}-??????")).collect(),
            None => vec!["*".to_owned()],
        };
        let arn = |(region, account, name): &(String, String, String), ending: &str| {
            format!("arn:{}:secretsmanager:{region}:{account}:secret:{name}{ending}", self.partition)
        };
        let places = self.secret_places();
        places.iter().flat_map(|place| endings.iter().map(move |ending| arn(place, ending))).collect()
    }

    /// The secrets that RDS makes for the databases of one kind, which RDS tags with their ARN.
    fn managed_of(&self, kind: TargetKind) -> Part {
        let (name, tag) = match kind {
            TargetKind::Instance => ("OfInstances", "aws:rds:primaryDBInstanceArn"),
            TargetKind::Cluster => ("OfClusters", "aws:rds:primaryDBClusterArn"),
        };
        let databases = || self.databases.iter().flatten().filter(|database| database.arn.kind == kind);
        let arn = |Database { arn, .. }: &Database| {
            let (region, account) = (&arn.region, &arn.account_id);
            format!("arn:{}:secretsmanager:{region}:{account}:{}", self.partition, managed_name(kind))
        };
        let mut conditions = Conditions::default();
        let meant = databases().map(|database| database.arn.to_string()).filter(|arn| self.is_meant(arn));
        conditions.equals(format!("aws:ResourceTag/{tag}"), meant);
        Part { name, resources: databases().map(arn).collect(), conditions }
    }

    fn managed_secrets(&self) -> BTreeSet<String> {
        let kinds = [TargetKind::Instance, TargetKind::Cluster];
        match &self.databases {
            Some(_) => kinds.into_iter().flat_map(|kind| self.managed_of(kind).resources).collect(),
            None => self.in_places("secretsmanager", &kinds.map(managed_name)),
        }
    }

    fn exact_key(&self) -> Part {
        let resources = match self.store_key().filter(|key| !is_alias(key)) {
            Some(arn) if arn.starts_with("arn:") => BTreeSet::from([arn.to_owned()]),
            Some(id) => self.store_keys(id),
            None => BTreeSet::new(),
        };
        Part { name: "", resources, conditions: Conditions::default() }
    }

    /// Keys are checked by their own ARN, whatever name they were called by.
    fn aliased_key(&self) -> Part {
        let mut conditions = Conditions::default();
        let alias = self.store_key().filter(|key| is_alias(key));
        let name = alias.map(|key| key.rsplit_once(':').map_or(key, |(_, name)| name));
        conditions.any_equals("kms:ResourceAliases", name);
        let resources = if alias.is_some() { self.store_keys("*") } else { BTreeSet::new() };
        Part { name: "ByAlias", resources, conditions }
    }

    /// A key in each account and region that holds secrets.
    fn store_keys(&self, id: &str) -> BTreeSet<String> {
        let places = self.secret_places().into_iter();
        places.map(|(region, account, _)| format!("arn:{}:kms:{region}:{account}:key/{id}", self.partition)).collect()
    }

    fn store_key(&self) -> Option<&str> {
        let key = self.store.as_ref()?.kms_key_id.as_deref()?;
        (!key.ends_with(DEFAULT_KEY)).then_some(key)
    }

    fn database_users(&self) -> BTreeSet<String> {
        let databases: BTreeSet<(String, String, String)> = match &self.databases {
            Some(databases) => databases
                .iter()
                .map(|Database { arn, resource_id }| {
                    let unknown = || format!("{}-*", arn.kind.arn_word());
                    let id = resource_id.clone().unwrap_or_else(unknown);
                    (arn.region.to_string(), arn.account_id.to_string(), id)
                })
                .collect(),
            None => {
                let any = |id: &str, account: &String| ("*".to_owned(), account.clone(), id.to_owned());
                self.accounts.iter().flat_map(|account| ["cluster-*", "db-*"].map(|id| any(id, account))).collect()
            }
        };
        let users: BTreeSet<String> = self.token_users.iter().map(User::token_name).collect();
        let arn = |(region, account, id): &(String, String, String), user: &str| {
            format!("arn:{}:rds-db:{region}:{account}:dbuser:{id}/{user}", self.partition)
        };
        databases.iter().flat_map(|database| users.iter().map(move |user| arn(database, user))).collect()
    }

    fn add_conditions(&self, part: &mut Part, when: When) {
        part.conditions.extend(&self.always);
        self.add_moment(&mut part.conditions, when);
        if self.stays_at_home && part.resources.iter().any(|arn| self.is_open_to_others(arn)) {
            // Secrets and keys of other accounts can let everybody in by policies of their own.
            part.conditions.equals("aws:ResourceAccount", ["${aws:PrincipalAccount}"]);
        }
    }

    fn is_open_to_others(&self, arn: &str) -> bool {
        let of_several = self.only.as_ref().is_some_and(|only| only.len() > 1);
        (of_several || account_of(arn) == Some("*"))
            && [":secretsmanager:", ":kms:"].iter().any(|service| arn.contains(service))
    }

    fn add_moment(&self, conditions: &mut Conditions, when: When) {
        let new_mark = format!("aws:RequestTag/{MANAGED_TAG}");
        match when {
            When::Always | When::BelongsToDatabase => {}
            When::InRegions => {
                let databases = self.databases.iter().flatten();
                let regions: BTreeSet<&str> = databases.map(|database| database.arn.region.as_str()).collect();
                conditions.equals("aws:RequestedRegion", regions);
            }
            When::InHomeRegion => {
                conditions.equals("aws:RequestedRegion", self.home_region.as_ref().map(Region::as_str));
            }
            When::MarksNew => conditions.equals(new_mark, ["true"]),
            When::WithNewGroup => {
                conditions.equals(new_mark, ["true"]);
                conditions.equals("ec2:CreateAction", ["CreateSecurityGroup"]);
            }
            When::WithNewRules => {
                conditions.equals(new_mark, ["true"]);
                conditions.equals("ec2:CreateAction", ["AuthorizeSecurityGroupIngress"]);
            }
            When::IsMarked => conditions.equals(format!("aws:ResourceTag/{MANAGED_TAG}"), ["true"]),
            When::KeepsMark => {
                conditions.equals(format!("aws:ResourceTag/{MANAGED_TAG}"), ["true"]);
                conditions.none_equals("aws:TagKeys", [MANAGED_TAG]);
                // A call without keys removes all tags, and would pass as one that names no forbidden key.
                conditions.is_given("aws:TagKeys");
            }
            When::ToReplicaRegions => {
                let regions = self.store.iter().flat_map(|store| store.replica_regions.iter().map(Region::as_str));
                conditions.all_equal("secretsmanager:AddReplicaRegions", regions);
                conditions.equals(format!("aws:ResourceTag/{MANAGED_TAG}"), ["true"]);
            }
            When::ThroughSecretsManager => conditions.like("kms:ViaService", [self.endpoint("secretsmanager")]),
            When::ThroughRds => conditions.like("kms:ViaService", [self.endpoint("rds")]),
            When::ThroughBoth => {
                conditions.like("kms:ViaService", ["rds", "secretsmanager"].map(|service| self.endpoint(service)));
            }
            When::GrantsToAws => {
                conditions.is_true("kms:GrantIsForAWSResource");
                conditions.like("kms:ViaService", ["rds", "secretsmanager"].map(|service| self.endpoint(service)));
            }
        }
    }

    /// The name of a service in `kms:ViaService`, in any region.
    fn endpoint(&self, service: &str) -> String {
        let suffix = if self.partition == "aws-cn" { ".cn" } else { "" };
        format!("{service}.*.amazonaws.com{suffix}")
    }
}

/// What the names of the secrets begin with that RDS makes; nobody else can use `!` in a name.
fn managed_name(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Instance => "secret:rds!db-*",
        TargetKind::Cluster => "secret:rds!cluster-*",
    }
}

fn is_alias(key: &str) -> bool {
    key.starts_with("alias/") || key.contains(":alias/")
}

fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}
