//! `rdsaccess_policy`: the IAM documents for what is used.

pub mod actions;
mod documents;
mod error;
mod feature;
mod model;
mod page;
mod scope;
mod statement;
mod template;
#[cfg(test)]
mod tests;
mod user;

use std::collections::BTreeSet;

use crate::access::{Arn, Invalid, Partition};
use crate::aws::settings::Settings;
use crate::context::{Context, Found, Takes};
use crate::report::Report;
use crate::schema::{Attr, DataSource, Query, Reports};
use crate::store::StoreSettings;

pub use feature::{Feature, KeyArn, PrincipalArn};
pub use user::User;

use documents::Wanted;
use error::Error;
use model::Policy;
use scope::Database;
use statement::Document;

/// The data source.
pub struct PolicyDataSource;

impl DataSource for PolicyDataSource {
    type Context = Context;
    type Model = Policy;

    const NAME: &'static str = "rdsaccess_policy";
    const SUBCATEGORY: &'static str = "Identity";

    fn validate(config: &Policy) -> Vec<Report> {
        partition(config).err().map(|error| Report::of(&error)).into_iter().collect()
    }

    fn appendix() -> String {
        page::table()
    }

    async fn read(&self, context: &Context, query: &mut Query<Policy>) -> Result<(), Reports> {
        let wanted = wanted(context, query).await?;
        query.warnings.extend(page::nobody_enters(&wanted));
        query.warnings.extend(page::out_of_reach(&wanted));
        fill(&mut query.state, &wanted)?;
        Ok(())
    }
}

/// The partition of the ARNs; `None` without any.
fn partition(config: &Policy) -> Result<Option<Partition>, Error> {
    let targets = config.target_arns.get().into_iter().flatten().map(|arn| arn.partition);
    let principals = [&config.hub_principal_arns, &config.agent_principal_arns];
    let principals = principals.into_iter().filter_map(Attr::get).flatten().map(|principal| principal.partition);
    let found: BTreeSet<Partition> = targets.chain(principals).collect();
    if found.len() > 1 {
        let words: Vec<&str> = found.into_iter().map(Partition::as_str).collect();
        return Err(Error::Partitions(words.join(", ")));
    }
    Ok(found.into_iter().next())
}

async fn wanted(context: &Context, query: &mut Query<Policy>) -> Result<Wanted, Reports> {
    let aws = context.aws()?;
    if context.store_is_unknown(None) {
        return Err(Error::UnknownStore.into());
    }
    let settings = aws.settings();
    let config = query.state.clone();
    let home_region = aws.home_region().await.ok();
    let of_home = || home_region.as_ref().map_or(Partition::Aws, |region| region.partition());
    let features = config.features.get().cloned().unwrap_or_default();
    let store = match context.store_settings(None).into_owned() {
        StoreSettings::SecretsManager(settings) if settings.name_prefix.is_empty() => {
            return Err(Error::EmptyPrefix.into());
        }
        StoreSettings::SecretsManager(settings) => Some(settings),
        StoreSettings::Vault(_) => None,
    };
    Ok(Wanted {
        partition: partition(&config)?.unwrap_or_else(of_home),
        databases: databases(context, query, features.contains(&Feature::RoleIam)).await,
        features,
        hub: match config.hub_principal_arns.get() {
            Some(named) => named.clone(),
            None => assumed(settings)?.into_iter().collect(),
        },
        agents: config.agent_principal_arns.get().cloned().unwrap_or_default(),
        external_id: config.external_id.get().cloned().or_else(|| settings.member_role.external_id.clone()),
        roles: config.role_names.get().cloned().unwrap_or_default(),
        admins: config.admin_names.get().cloned().unwrap_or_default(),
        keys: config.kms_key_arns.get().cloned().unwrap_or_default(),
        store,
        member_role: settings.member_role.clone(),
        home_region,
    })
}

/// The role that the provider runs as, where its block says one: the last of those that it takes.
fn assumed(settings: &Settings) -> Result<Option<PrincipalArn>, Error> {
    let assumed = settings.assume_role.as_ref().map(|role| &role.role_arn);
    let of_web_identity = || settings.web_identity.as_ref().map(|identity| &identity.role_arn);
    let role_arn = assumed.or_else(of_web_identity);
    role_arn.map(|arn| arn.parse()).transpose().map_err(|invalid: Invalid| Error::Assumed(invalid.0))
}

/// The databases, with their resource ids where tokens need them.
async fn databases(context: &Context, query: &mut Query<Policy>, with_ids: bool) -> Option<Vec<Database>> {
    let arns: Vec<Arn> = query.state.target_arns.get()?.iter().cloned().collect();
    let mut databases = Vec::new();
    for arn in arns {
        let mut resource_id = None;
        if with_ids {
            match context.find(&arn, Takes::ReplicasToo).await {
                Ok(Found::Target(target)) => resource_id = Some(target.resource_id),
                Ok(Found::Gone) => query.warnings.push(page::no_id(&arn, "AWS knows no such database.")),
                Err(Reports(reports)) => {
                    let why: Vec<String> = reports.into_iter().map(|report| report.detail).collect();
                    query.warnings.push(page::no_id(&arn, &why.join(" ")));
                }
            }
        }
        databases.push(Database { arn, resource_id });
    }
    Some(databases)
}

/// IAM counts no white space, and these documents have none.
const POLICY: (usize, &str) = (10_240, "IAM, as the inline policy of a role,");
const TRUST: (usize, &str) = (2_048, "IAM, as the trust policy of a role,");
const TEMPLATE: (usize, &str) = (51_200, "CloudFormation");

fn fill(state: &mut Policy, wanted: &Wanted) -> Result<(), Error> {
    let json = |document: Option<Document>, name, quota| match document.map(|document| document.to_json()) {
        Some(text) => fits(text, name, quota).map(Attr::Known),
        None => Ok(Attr::Null),
    };
    state.hub_policy_json = json(wanted.hub_document(), "hub_policy_json", POLICY)?;
    state.member_policy_json = json(wanted.member_document(), "member_policy_json", POLICY)?;
    state.trust_policy_json = json(wanted.trust_document(), "trust_policy_json", TRUST)?;
    state.agent_policy_json = json(wanted.agent_document(), "agent_policy_json", POLICY)?;
    json(wanted.member_document_of_template(), "the policy in cloudformation_template", POLICY)?;
    state.cloudformation_template = match template::template(wanted) {
        Some(template) => fits(format!("{template:#}"), "cloudformation_template", TEMPLATE).map(Attr::Known)?,
        None => Attr::Null,
    };
    Ok(())
}

fn fits(text: String, document: &'static str, (limit, reader): (usize, &'static str)) -> Result<String, Error> {
    match text.len() {
        size if size > limit => Err(Error::TooLong { document, size, limit, reader }),
        _ => Ok(text),
    }
}
