//! What a plan of a role says beyond the declarations.

use crate::access::Target;
use crate::context::{Context, Takes};
use crate::schema::{Attr, Change, Reports};
use crate::value::Path;

use super::model::Role;
use super::spec;

/// The word of a stored password that works.
pub(super) const OK: &str = "ok";

/// Fills in what is known already and marks what the change moves.
pub(super) async fn plan(context: &Context, change: &mut Change<Role>) -> Result<(), Reports> {
    let target = target(context, change).await?;
    defaults(change, target.as_ref())?;
    if let (Attr::Known(name), true) = (&change.planned.name, change.is_create()) {
        change.planned.username = name.to_string().into();
    }
    let Some(prior) = change.prior.clone() else {
        return Ok(());
    };
    if prior.target_resource_id.is_null() {
        change.planned.target_resource_id = Attr::Unknown;
        change.replace.push(Path::attribute("target_resource_id"));
        return Ok(());
    }
    coverage(change, &prior);
    credential(change, &prior);
    Ok(())
}

/// The database, where it is known and something changes that its engine has a say in; its rules are checked.
async fn target(context: &Context, change: &Change<Role>) -> Result<Option<Target>, Reports> {
    let Attr::Known(arn) = &change.planned.target_arn else { return Ok(None) };
    if !change.is_create() && !touches_engine_rules(change) {
        return Ok(None);
    }
    let Some(target) = context.find_for_plan(arn, Takes::Writers).await? else { return Ok(None) };
    let reports = spec::check_target(&change.config, &target);
    if reports.is_empty() { Ok(Some(target)) } else { Err(reports.into()) }
}

/// The defaults that follow from other arguments.
fn defaults(change: &mut Change<Role>, target: Option<&Target>) -> Result<(), Reports> {
    let invalid = |error: crate::access::Invalid| crate::report::Report::error("Invalid default", error.0);
    if change.config.name.is_null() {
        change.planned.name = match change.planned.access {
            Attr::Known(access) => spec::default_name(access).map_err(invalid)?.into(),
            _ => Attr::Unknown,
        };
    }
    if change.config.host.is_null() && change.is_create() {
        change.planned.host = match target {
            Some(target) if spec::has_hosts(target.engine) => spec::default_host().map_err(invalid)?.into(),
            Some(_) => Attr::Null,
            None => Attr::Unknown,
        };
    }
    Ok(())
}

fn touches_engine_rules(change: &Change<Role>) -> bool {
    ["schemas", "owners", "reassign_owned_to", "name", "host"].into_iter().any(|attribute| change.changes(attribute))
}

/// Which attributes decide what is covered.
pub(super) const SCOPE: [&str; 4] = ["access", "databases", "schemas", "owners"];

fn coverage(change: &mut Change<Role>, prior: &Role) {
    if SCOPE.into_iter().any(|attribute| change.changes(attribute)) {
        change.planned.coverage = Attr::Unknown;
        change.planned.uncovered = Attr::Unknown;
        change.planned.default_database = Attr::Unknown;
    } else if let Attr::Known(found) = &prior.coverage {
        change.planned.coverage = spec::completed(found).into();
    }
}

/// A stored password that does not work is replaced, and then its version moves.
fn credential(change: &mut Change<Role>, prior: &Role) {
    if prior.credential.get().is_none_or(|word| word != OK) {
        change.planned.credential = OK.to_owned().into();
        change.planned.secret_version = Attr::Unknown;
        change.planned.rotated_at = Attr::Unknown;
        change.planned.secret_ref = Attr::Unknown;
    }
}
