//! The documents: which rows of the table go where, for which databases.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{AccountId, Partition, Region};
use crate::aws::settings::MemberRole;
use crate::store::SecretsManagerSettings;

use super::actions::{AGENT, HUB, MEMBER, On, Permission, When};
use super::feature::{Feature, KeyArn, PrincipalArn};
use super::scope::{Database, Scope};
use super::statement::{Conditions, Document, Statement};
use super::user::User;

/// What the documents are made from.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Partition of everything
    pub partition: Partition,
    /// What is used
    pub features: BTreeSet<Feature>,
    /// The databases; `None` stands for all
    pub databases: Option<Vec<Database>>,
    /// Who enters the accounts
    pub hub: BTreeSet<PrincipalArn>,
    /// Who opens sessions
    pub agents: BTreeSet<PrincipalArn>,
    /// The word that the trust policy asks for
    pub external_id: Option<String>,
    /// Names of the roles
    pub roles: BTreeSet<User>,
    /// Administrators that log in with tokens
    pub admins: BTreeSet<User>,
    /// Customer keys besides that of the store
    pub keys: BTreeSet<KeyArn>,
    /// Secrets Manager as the provider's store; `None` when that is Vault
    pub store: Option<SecretsManagerSettings>,
    /// How accounts are entered
    pub member_role: MemberRole,
    /// Where the provider is at home
    pub home_region: Option<Region>,
}

impl Wanted {
    fn hub_accounts(&self) -> BTreeSet<AccountId> {
        self.hub.iter().map(|principal| principal.account_id.clone()).collect()
    }

    /// Whether nobody enters this account by a role: all principals are at home in it.
    fn is_hub(&self, account: &AccountId) -> bool {
        !self.hub.is_empty() && self.hub.iter().all(|principal| principal.account_id == *account)
    }

    /// The account of a store for all accounts.
    fn store_account(&self) -> Option<&AccountId> {
        self.store.as_ref()?.account_id.as_ref().filter(|_| self.uses(On::Secrets))
    }

    fn uses(&self, on: On) -> bool {
        MEMBER.iter().any(|row| row.on == on && self.needed_by(row).next().is_some())
    }

    fn needed_by<'a>(&'a self, row: &Permission) -> impl Iterator<Item = Feature> + use<'a> {
        row.features.iter().copied().filter(|feature| self.features.contains(feature)).collect::<Vec<_>>().into_iter()
    }

    fn scope(&self) -> Scope {
        Scope {
            partition: self.partition.to_string(),
            accounts: BTreeSet::from(["*".to_owned()]),
            databases: self.databases.clone(),
            store: self.store.clone().filter(|_| self.uses(On::Secrets)),
            keys: self.keys.clone(),
            token_users: self.roles.union(&self.admins).cloned().collect(),
            secret_users: None,
            member_roles: BTreeSet::new(),
            home_region: self.home_region.clone(),
            only: None,
            stays_at_home: true,
            always: Conditions::default(),
        }
    }

    /// For the hub: the organization, the way into the accounts, and what it needs in its own.
    pub(super) fn hub_document(&self) -> Option<Document> {
        let mut scope = self.scope();
        let (here, elsewhere) = self.foreign_roles();
        scope.member_roles = here;
        let is_alone = self.databases.is_some() && scope.member_roles.is_empty();
        let rows = HUB.iter().filter(|row| !is_alone || row.on == On::MemberRoles);
        let mut statements = self.statements(rows, &scope);
        statements.extend(self.by_pattern(elsewhere));
        statements.extend(self.in_hub_account());
        Document::new(statements)
    }

    /// The roles by their ARNs, and, where it is not known in which accounts they are, the pattern for all the others.
    fn foreign_roles(&self) -> (BTreeSet<String>, Option<String>) {
        let role = |account: &str, name: &str| {
            format!("arn:{}:iam::{account}:role/{}", self.partition, name.trim_start_matches('/'))
        };
        let of = |account: &AccountId| role(account.as_str(), self.member_role.name_in(account));
        let store = self.store_account().cloned();
        match &self.databases {
            Some(databases) => {
                let accounts: BTreeSet<AccountId> =
                    databases.iter().map(|database| database.arn.account_id.clone()).chain(store).collect();
                (accounts.iter().filter(|account| !self.is_hub(account)).map(of).collect(), None)
            }
            None => {
                let renamed = self.member_role.overrides.iter().filter(|(_, entry)| entry.name.is_some());
                let renamed = renamed.map(|(account, _)| account).filter(|account| !self.is_hub(account));
                (renamed.map(of).collect(), Some(role("*", &self.member_role.name)))
            }
        }
    }

    fn by_pattern(&self, pattern: Option<String>) -> Option<Statement> {
        let mut conditions = Conditions::default();
        conditions.equals("aws:ResourceOrgID", ["${aws:PrincipalOrgID}"]);
        pattern.filter(|_| !self.features.is_empty()).map(|pattern| Statement {
            sid: "EnterAccountsOfTheOrganization".to_owned(),
            effect: "Allow",
            principal: None,
            action: ["sts:AssumeRole"].into_iter().collect(),
            resource: Some([pattern].into_iter().collect()),
            condition: conditions,
        })
    }

    /// A hub's own account is not entered through a role. With principals of several accounts each needs its own.
    fn in_hub_account(&self) -> Vec<Statement> {
        let hubs = self.hub_accounts();
        if hubs.is_empty() {
            return Vec::new();
        }
        let of_hub = |database: &&Database| hubs.contains(&database.arn.account_id);
        let mut all = self.scope();
        all.only = Some(hubs.clone());
        all.accounts = hubs.iter().map(ToString::to_string).collect();
        let mut own = all.clone();
        own.databases = self.databases.as_ref().map(|all| all.iter().filter(of_hub).cloned().collect());
        if self.store_account().is_none_or(|account| !hubs.contains(account)) {
            return self.statements(MEMBER.iter(), &own);
        }
        let is_stored = |row: &&Permission| matches!(row.on, On::Secrets | On::StoreKey);
        let mut statements = self.statements(MEMBER.iter().filter(|row| !is_stored(row)), &own);
        statements.extend(self.statements(MEMBER.iter().filter(is_stored), &all));
        statements
    }

    /// For the role in an account.
    pub(super) fn member_document(&self) -> Option<Document> {
        self.member_document_in(self.scope())
    }

    /// The same for a template, where CloudFormation knows partition and account.
    pub(super) fn member_document_of_template(&self) -> Option<Document> {
        let mut scope = self.scope();
        if scope.databases.is_none() {
            scope.partition = "${AWS::Partition}".to_owned();
            scope.accounts = BTreeSet::from(["${AWS::AccountId}".to_owned()]);
        }
        self.member_document_in(scope)
    }

    fn member_document_in(&self, mut scope: Scope) -> Option<Document> {
        if self.store_account().is_some_and(|account| self.is_hub(account)) {
            // Secrets in the hub's account are reached without a role.
            scope.store = None;
        }
        Document::new(self.statements(MEMBER.iter(), &scope))
    }

    /// For the gateway's agent.
    pub(super) fn agent_document(&self) -> Option<Document> {
        let mut scope = self.scope();
        scope.secret_users = Some(self.roles.clone());
        scope.token_users = self.roles.clone();
        scope.stays_at_home = false;
        scope.always.arn_like("aws:PrincipalArn", self.agents.iter().map(PrincipalArn::pattern));
        Document::new(self.statements(AGENT.iter(), &scope))
    }

    /// Who may take the role; `None` when no principal is known.
    pub(super) fn trust_document(&self) -> Option<Document> {
        let mut condition = Conditions::default();
        condition.equals("sts:ExternalId", self.external_id.clone());
        let statement = Statement {
            sid: "HubEnters".to_owned(),
            effect: "Allow",
            principal: Some(BTreeMap::from([("AWS", self.hub.iter().map(ToString::to_string).collect())])),
            action: ["sts:AssumeRole"].into_iter().collect(),
            resource: None,
            condition,
        };
        Document::new(vec![statement]).filter(|_| !self.hub.is_empty())
    }

    /// One statement for each kind of resource and condition.
    fn statements<'a>(&self, rows: impl Iterator<Item = &'a Permission>, scope: &Scope) -> Vec<Statement> {
        let mut groups: Vec<((On, When), Vec<&Permission>)> = Vec::new();
        for row in rows.filter(|row| self.needed_by(row).next().is_some() && scope.takes(row)) {
            match groups.iter_mut().find(|(group, _)| *group == (row.on, row.when)) {
                Some((_, members)) => members.push(row),
                None => groups.push(((row.on, row.when), vec![row])),
            }
        }
        groups.iter().flat_map(|((on, when), rows)| self.group(*on, *when, rows, scope)).collect()
    }

    fn group(&self, on: On, when: When, rows: &[&Permission], scope: &Scope) -> Vec<Statement> {
        let features: BTreeSet<Feature> = rows.iter().flat_map(|row| self.needed_by(row)).collect();
        let all = features.len() == Feature::ALL.len();
        let features = if all { "All".to_owned() } else { features.into_iter().map(Feature::sid).collect() };
        let statement = |part: super::scope::Part| Statement {
            sid: format!("{}{}For{features}", label(on, when), part.name),
            effect: "Allow",
            principal: None,
            action: rows.iter().map(|row| row.action).collect(),
            resource: Some(part.resources.into_iter().collect()),
            condition: part.conditions,
        };
        scope.parts(on, when).into_iter().map(statement).collect()
    }

    /// The accounts whose secrets and databases an agent elsewhere cannot reach by its own policy alone.
    pub(super) fn out_of_reach_of_agents(&self) -> BTreeSet<AccountId> {
        let agents: BTreeSet<&AccountId> = self.agents.iter().map(|agent| &agent.account_id).collect();
        let databases = self.databases.iter().flatten().map(|database| &database.arn.account_id);
        let needed: BTreeSet<&AccountId> = match self.store_account() {
            Some(account) if !self.features.contains(&Feature::RoleIam) => BTreeSet::from([account]),
            Some(account) => databases.chain([account]).collect(),
            None => databases.collect(),
        };
        needed.into_iter().filter(|account| !agents.is_empty() && !agents.contains(account)).cloned().collect()
    }
}

/// What a statement is called before the features that need it.
fn label(on: On, when: When) -> &'static str {
    match (on, when) {
        (On::Everything, When::InHomeRegion) => "ListRegions",
        (On::Everything, When::InRegions) => "ListSecurityGroups",
        (On::Everything, _) => "ListRoots",
        (On::Units, _) => "ListUnits",
        (On::Accounts, _) => "ReadAccounts",
        (On::MemberRoles, _) => "EnterAccounts",
        (On::Lists, _) => "ListDatabases",
        (On::SubnetGroups, _) => "ListSubnetGroups",
        (On::Databases, _) => "ModifyDatabases",
        (On::Groups, When::MarksNew) => "MakeSecurityGroups",
        (On::Groups, When::WithNewGroup) => "TagNewSecurityGroups",
        (On::Groups, When::KeepsMark) => "RetagSecurityGroups",
        (On::Groups, _) => "ChangeSecurityGroups",
        (On::Rules, When::WithNewRules) => "TagNewRules",
        (On::Rules, _) => "MakeRules",
        (On::Vpcs, _) => "MakeSecurityGroupsInVpcs",
        (On::Secrets, When::MarksNew) => "MakeSecrets",
        (On::Secrets, When::IsMarked) => "WriteSecrets",
        (On::Secrets, When::ToReplicaRegions) => "ReplicateSecrets",
        (On::Secrets, _) => "ReadSecrets",
        (On::ManagedSecrets, When::Always) => "LetRdsMakeSecrets",
        (On::ManagedSecrets, _) => "UseSecretsOfRds",
        (On::StoreKey, _) => "UseKey",
        (On::OtherKeys, When::GrantsToAws) => "LetRdsUseKeys",
        (On::OtherKeys, _) => "UseOtherKeys",
        (On::AnyKey, _) => "LetRdsSeeKeys",
        (On::DatabaseUsers, _) => "LogInWithTokens",
    }
}
