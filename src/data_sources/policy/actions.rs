//! Every action of AWS that the provider uses: which feature needs it, on what, and under which condition.
//!
//! Resource types and condition keys are those of AWS's Service Authorization Reference. A call that is added to the
//! provider needs a row here; `tests/golden/permissions.rs` finds the ones without.

use crate::access::TargetKind;

use super::feature::Feature::{
    self, Discovery, MasterPassword, MasterRdsManaged, RoleIam, RolePassword, SecretRead, SecurityGroup,
};

/// What an action is allowed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// Everything: AWS has no resource for it
    Everything,
    /// The root and the units of the organization
    Units,
    /// The accounts of the organization
    Accounts,
    /// The roles that open the accounts
    MemberRoles,
    /// All databases of an account and region: a list cannot be asked for in part
    Lists,
    /// All subnet groups of an account and region, for the same reason
    SubnetGroups,
    /// The databases
    Databases,
    /// All security groups of an account and region
    Groups,
    /// All rules of security groups of an account and region
    Rules,
    /// All VPCs of an account and region
    Vpcs,
    /// The secrets of the databases' users
    Secrets,
    /// The secrets that RDS makes for master users
    ManagedSecrets,
    /// The customer key of the store
    StoreKey,
    /// The customer keys that RDS is given, and those of other people's secrets
    OtherKeys,
    /// All keys of an account and region
    AnyKey,
    /// The users of the databases that log in with tokens
    DatabaseUsers,
}

/// When an action is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Always: the resource says it all
    Always,
    /// In the regions of the databases
    InRegions,
    /// In the provider's own region
    InHomeRegion,
    /// Where the new object gets our mark
    MarksNew,
    /// Where the object carries our mark
    IsMarked,
    /// Where the object carries our mark and keeps it as it is
    KeepsMark,
    /// As a part of making a group with our mark
    WithNewGroup,
    /// As a part of making rules with our mark
    WithNewRules,
    /// Where the secret belongs to one of the databases
    BelongsToDatabase,
    /// With replicas in the regions of the store only
    ToReplicaRegions,
    /// Through Secrets Manager
    ThroughSecretsManager,
    /// Through RDS
    ThroughRds,
    /// Through RDS or Secrets Manager
    ThroughBoth,
    /// As a grant for a service of AWS
    GrantsToAws,
}

/// A permission: one action, the features that need it, what it is allowed on and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The action, as a policy names it
    pub action: &'static str,
    /// The features that need it
    pub features: &'static [Feature],
    /// What it is allowed on
    pub on: On,
    /// When it is allowed
    pub when: When,
    /// For databases of this kind only
    pub kind: Option<TargetKind>,
    /// The service that makes the call with the caller's permissions; `None` when the provider makes it
    pub made_by: Option<&'static str>,
}

const fn needs(action: &'static str, features: &'static [Feature], on: On, when: When) -> Permission {
    Permission { action, features, on, when, kind: None, made_by: None }
}

/// A permission that a service uses for the caller.
const fn by(made_by: &'static str, permission: Permission) -> Permission {
    Permission { made_by: Some(made_by), ..permission }
}

const fn of(kind: TargetKind, permission: Permission) -> Permission {
    Permission { kind: Some(kind), ..permission }
}

/// All that work on databases.
const ON_DATABASES: &[Feature] = &[Discovery, SecurityGroup, MasterPassword, MasterRdsManaged, RolePassword, RoleIam];
/// All that enter an account.
const ENTERING: &[Feature] = &Feature::ALL;
/// All that change a database through RDS.
const MODIFYING: &[Feature] = &[SecurityGroup, MasterPassword, MasterRdsManaged];
/// All that write secrets.
const WRITING: &[Feature] = &[MasterPassword, RolePassword];
/// All that read secrets: roles read those of their administrators.
const READING: &[Feature] = &[MasterPassword, RolePassword, RoleIam, SecretRead];
/// All that read secrets of other people.
const READING_OTHERS: &[Feature] = &[MasterPassword, MasterRdsManaged, RolePassword, RoleIam, SecretRead];
/// All that look at secrets of RDS: roles have them as administrators.
const READING_MANAGED: &[Feature] = &[MasterRdsManaged, RolePassword, RoleIam];

const RDS: &str = "RDS";
const SECRETS_MANAGER: &str = "Secrets Manager";

/// What the hub identity needs, before it enters an account.
pub const HUB: &[Permission] = &[
    needs("organizations:ListRoots", &[Discovery], On::Everything, When::Always),
    needs("organizations:ListAccounts", &[Discovery], On::Everything, When::Always),
    needs("organizations:ListAccountsForParent", &[Discovery], On::Units, When::Always),
    needs("organizations:ListOrganizationalUnitsForParent", &[Discovery], On::Units, When::Always),
    needs("organizations:ListTagsForResource", &[Discovery], On::Accounts, When::Always),
    needs("organizations:DescribeAccount", ENTERING, On::Accounts, When::Always),
    needs("sts:AssumeRole", ENTERING, On::MemberRoles, When::Always),
];

/// What the identity in the account of a database, or of the store, needs.
pub const MEMBER: &[Permission] = &[
    needs("ec2:DescribeRegions", &[Discovery], On::Everything, When::InHomeRegion),
    needs("rds:DescribeDBClusters", ON_DATABASES, On::Lists, When::Always),
    needs("rds:DescribeDBInstances", ON_DATABASES, On::Lists, When::Always),
    needs("rds:DescribeDBSubnetGroups", &[Discovery, SecurityGroup], On::SubnetGroups, When::Always),
    of(TargetKind::Cluster, needs("rds:ModifyDBCluster", MODIFYING, On::Databases, When::Always)),
    of(TargetKind::Instance, needs("rds:ModifyDBInstance", MODIFYING, On::Databases, When::Always)),
    needs("ec2:DescribeSecurityGroupRules", &[SecurityGroup], On::Everything, When::InRegions),
    needs("ec2:DescribeSecurityGroups", &[SecurityGroup], On::Everything, When::InRegions),
    needs("ec2:CreateSecurityGroup", &[SecurityGroup], On::Groups, When::MarksNew),
    needs("ec2:CreateSecurityGroup", &[SecurityGroup], On::Vpcs, When::Always),
    needs("ec2:CreateTags", &[SecurityGroup], On::Groups, When::WithNewGroup),
    needs("ec2:CreateTags", &[SecurityGroup], On::Rules, When::WithNewRules),
    needs("ec2:AuthorizeSecurityGroupIngress", &[SecurityGroup], On::Rules, When::MarksNew),
    needs("ec2:AuthorizeSecurityGroupIngress", &[SecurityGroup], On::Groups, When::IsMarked),
    needs("ec2:CreateTags", &[SecurityGroup], On::Groups, When::KeepsMark),
    needs("ec2:DeleteSecurityGroup", &[SecurityGroup], On::Groups, When::IsMarked),
    needs("ec2:DeleteTags", &[SecurityGroup], On::Groups, When::KeepsMark),
    needs("ec2:RevokeSecurityGroupIngress", &[SecurityGroup], On::Groups, When::IsMarked),
    needs("ec2:UpdateSecurityGroupRuleDescriptionsIngress", &[SecurityGroup], On::Groups, When::IsMarked),
    // A secret that does not exist has no tags, and must be seen not to exist.
    needs("secretsmanager:DescribeSecret", READING, On::Secrets, When::Always),
    needs("secretsmanager:GetSecretValue", READING, On::Secrets, When::Always),
    needs("secretsmanager:ListSecretVersionIds", WRITING, On::Secrets, When::Always),
    needs("secretsmanager:CreateSecret", WRITING, On::Secrets, When::MarksNew),
    by(SECRETS_MANAGER, needs("secretsmanager:TagResource", WRITING, On::Secrets, When::MarksNew)),
    needs("secretsmanager:DeleteSecret", WRITING, On::Secrets, When::IsMarked),
    needs("secretsmanager:PutSecretValue", WRITING, On::Secrets, When::IsMarked),
    needs("secretsmanager:RemoveRegionsFromReplication", WRITING, On::Secrets, When::IsMarked),
    needs("secretsmanager:RestoreSecret", WRITING, On::Secrets, When::IsMarked),
    needs("secretsmanager:TagResource", WRITING, On::Secrets, When::IsMarked),
    needs("secretsmanager:UpdateSecret", WRITING, On::Secrets, When::IsMarked),
    needs("secretsmanager:UpdateSecretVersionStage", WRITING, On::Secrets, When::IsMarked),
    needs("secretsmanager:ReplicateSecretToRegions", WRITING, On::Secrets, When::ToReplicaRegions),
    needs("secretsmanager:DescribeSecret", READING_MANAGED, On::ManagedSecrets, When::BelongsToDatabase),
    needs("secretsmanager:GetSecretValue", READING_MANAGED, On::ManagedSecrets, When::BelongsToDatabase),
    needs("secretsmanager:ListSecretVersionIds", &[MasterRdsManaged], On::ManagedSecrets, When::BelongsToDatabase),
    needs("secretsmanager:RotateSecret", &[MasterRdsManaged], On::ManagedSecrets, When::BelongsToDatabase),
    by(RDS, needs("secretsmanager:CreateSecret", &[MasterRdsManaged], On::ManagedSecrets, When::Always)),
    by(RDS, needs("secretsmanager:TagResource", &[MasterRdsManaged], On::ManagedSecrets, When::Always)),
    by(SECRETS_MANAGER, needs("kms:Decrypt", READING, On::StoreKey, When::ThroughSecretsManager)),
    by(SECRETS_MANAGER, needs("kms:Encrypt", WRITING, On::StoreKey, When::ThroughSecretsManager)),
    by(SECRETS_MANAGER, needs("kms:GenerateDataKey", WRITING, On::StoreKey, When::ThroughSecretsManager)),
    by(SECRETS_MANAGER, needs("kms:Decrypt", READING_OTHERS, On::OtherKeys, When::ThroughBoth)),
    by(RDS, needs("kms:GenerateDataKey", &[MasterRdsManaged], On::OtherKeys, When::ThroughBoth)),
    by(RDS, needs("kms:DescribeKey", &[MasterRdsManaged], On::AnyKey, When::ThroughRds)),
    by(RDS, needs("kms:CreateGrant", &[MasterRdsManaged], On::OtherKeys, When::GrantsToAws)),
    needs("rds-db:connect", &[RoleIam], On::DatabaseUsers, When::Always),
];

/// What the gateway's agent needs to open sessions.
pub const AGENT: &[Permission] = &[
    needs("secretsmanager:GetSecretValue", &[RolePassword, SecretRead], On::Secrets, When::Always),
    by(SECRETS_MANAGER, needs("kms:Decrypt", &[RolePassword, SecretRead], On::StoreKey, When::ThroughSecretsManager)),
    needs("rds-db:connect", &[RoleIam], On::DatabaseUsers, When::Always),
];

/// Actions that need no permission, with the reason.
pub const FREE: &[(&str, &str)] = &[
    ("sts:GetCallerIdentity", "AWS answers everybody who has credentials"),
    ("sts:AssumeRoleWithWebIdentity", "the trust policy of the role decides; the caller has no credentials yet"),
];
