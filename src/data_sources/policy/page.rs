//! What people read: the table of permissions on the page, and warnings.

use crate::access::{Arn, list_names};
use crate::report::Report;

use super::actions::{AGENT, FREE, HUB, MEMBER, On, Permission, When};
use super::documents::Wanted;
use super::feature::Feature;

/// The table of all permissions, Markdown.
pub(super) fn table() -> String {
    let mut out = String::from(
        "\n## Permissions\n\nEvery action that the provider uses. *Needed by* are the `features`; `*` stands as a resource only \
         where AWS has none for the action. A call that a service makes for the provider, with the provider's permissions, \
         says so.\n",
    );
    let holders = [
        ("In `hub_policy_json`", HUB),
        ("In `member_policy_json`, and in `hub_policy_json` for the hub's own account", MEMBER),
        ("In `agent_policy_json`", AGENT),
    ];
    for (title, rows) in holders {
        out.push_str(&format!(
            "\n### {title}\n\n| action | needed by | resource | condition |\n| --- | --- | --- | --- |\n"
        ));
        for row in rows {
            out.push_str(&line(row, rows == AGENT));
        }
    }
    out.push_str("\nThe provider also calls, without a permission:\n\n");
    for (action, why) in FREE {
        out.push_str(&format!("- `{action}`: {why}.\n"));
    }
    out
}

fn line(row: &Permission, of_agent: bool) -> String {
    let maker = row.made_by.map(|service| format!(" (called by {service})")).unwrap_or_default();
    let features = if row.features.len() == Feature::ALL.len() {
        "every feature".to_owned()
    } else {
        row.features.iter().map(|feature| format!("`{feature}`")).collect::<Vec<_>>().join(", ")
    };
    let on = if of_agent { agents_resource(row.on) } else { resource(row.on) };
    format!("| `{}`{maker} | {features} | {on} | {} |\n", row.action, condition(row))
}

fn resource(on: On) -> &'static str {
    match on {
        On::Everything => "`*`: AWS has no resource for it",
        On::Units => "`ou/o-*/ou-*` and `root/o-*/r-*` of the organization",
        On::Accounts => "`account/o-*/*` of the organization",
        On::MemberRoles => "the roles of `member_role` in the accounts of the databases and of the store",
        On::Lists => "`db:*` and `cluster:*` in their accounts and regions: AWS lists all or nothing",
        On::SubnetGroups => "`subgrp:*` in their accounts and regions: AWS lists all or nothing",
        On::Databases => "the databases",
        On::Groups => "`security-group/*` in their accounts and regions",
        On::Rules => "`security-group-rule/*` in their accounts and regions",
        On::Vpcs => "`vpc/*` in their regions, of any account: that of a shared VPC is its owner's",
        On::Secrets => "the secrets `<name_prefix><account>/<region>/<db or cluster>/<identifier>/*` of the databases",
        On::ManagedSecrets => "`secret:rds!db-*` or `secret:rds!cluster-*` in their accounts and regions",
        On::StoreKey => "the customer key of the store; nothing without one",
        On::OtherKeys => "`kms_key_arns`; nothing without one",
        On::AnyKey => "`key/*` in their accounts and regions",
        On::DatabaseUsers => "`dbuser:<resource id>/<name>` for `role_names` and `admin_names`",
    }
}

fn agents_resource(on: On) -> &'static str {
    match on {
        On::Secrets => "the secrets of `role_names` of the databases, `…/<name>-??????`",
        On::DatabaseUsers => "`dbuser:<resource id>/<name>` for `role_names`",
        other => resource(other),
    }
}

fn condition(row: &Permission) -> &'static str {
    match (row.action, row.when) {
        ("secretsmanager:UpdateSecret", _) => "the tag `rdsaccess:managed = true`; only with `kms_key_id`",
        ("sts:AssumeRole", _) => "without `target_arns`: accounts of the hub's organization (`aws:ResourceOrgID`)",
        (_, When::Always) => "",
        (_, When::InRegions) => "the regions of the databases (`aws:RequestedRegion`)",
        (_, When::InHomeRegion) => "the provider's region (`aws:RequestedRegion`)",
        (_, When::MarksNew) => "the new object gets `rdsaccess:managed = true` (`aws:RequestTag`)",
        (_, When::IsMarked) => "the tag `rdsaccess:managed = true` (`aws:ResourceTag`)",
        (_, When::KeepsMark) => "the tag `rdsaccess:managed = true`, which itself stays (`aws:TagKeys`)",
        (_, When::WithNewGroup) => "as a part of `CreateSecurityGroup` with `rdsaccess:managed = true`",
        (_, When::WithNewRules) => "as a part of `AuthorizeSecurityGroupIngress` with `rdsaccess:managed = true`",
        (_, When::BelongsToDatabase) => {
            "RDS made it for one of the databases (`aws:rds:primaryDBInstanceArn`, `aws:rds:primaryDBClusterArn`)"
        }
        (_, When::ToReplicaRegions) => "the tag `rdsaccess:managed = true`, to `replica_regions` only",
        (_, When::ThroughSecretsManager) => "through Secrets Manager (`kms:ViaService`)",
        (_, When::ThroughRds) => "through RDS (`kms:ViaService`)",
        (_, When::ThroughBoth) => "through Secrets Manager or RDS (`kms:ViaService`)",
        (_, When::GrantsToAws) => {
            "the grant is for a service of AWS (`kms:GrantIsForAWSResource`), through Secrets Manager or RDS (`kms:ViaService`)"
        }
    }
}

/// Says that a database is named by pattern.
pub(super) fn no_id(arn: &Arn, why: &str) -> Report {
    let detail = format!(
        "{arn}: its resource id, by which `rds-db:connect` names a database, could not be asked for. The documents name all \
         databases of its kind in its account and region until it can be. {why}"
    );
    Report::warning("A database is named by pattern", detail)
}

/// Says that nobody is trusted; who asks for the agent's document alone need not know.
pub(super) fn nobody_enters(wanted: &Wanted) -> Option<Report> {
    let detail = "`hub_principal_arns` is not set, and the provider block has neither `assume_role` nor \
                  `assume_role_with_web_identity` to take it from. `trust_policy_json` is null, `cloudformation_template` asks \
                  for `HubPrincipalArns`, and `hub_policy_json` holds nothing for the account that the provider runs in. Set \
                  `hub_principal_arns` to the role or user that the provider runs as.";
    let is_unknown = wanted.hub.is_empty() && wanted.agents.is_empty();
    is_unknown.then(|| Report::warning("It is not known who enters the accounts", detail.to_owned()))
}

/// Says what a policy of the agent's own account cannot open.
pub(super) fn out_of_reach(wanted: &Wanted) -> Option<Report> {
    let accounts: Vec<String> = wanted.out_of_reach_of_agents().iter().map(ToString::to_string).collect();
    let detail = format!(
        "No agent runs in {}: secrets there are read only where each has a resource policy for the agent and a customer key \
         that lets it in, and tokens are good only when an identity of the database's account signs them. Keep the secrets \
         where the agent runs (`store` of the provider block), or run an agent in each account.",
        list_names(&accounts)
    );
    (!accounts.is_empty()).then(|| Report::warning("The agent's policy does not reach all accounts", detail))
}
