//! Connections that we made and no state may hold any more: found by our mark, for the same database and user.

use crate::gateway::{ConnectionSpec, DATABASE_TAG, EnvState, Error, Gateway, ListedConnection, Made, USER, subtype};
use crate::report::Report;

/// Warns of connections that look like this new one under another name: what an interrupted run has made before the name
/// was changed, or what a lost state held. Nobody but their state knows whether they are held, so the warning says in which
/// cases all is well. Not being able to look is no reason to make nothing.
pub(super) async fn warning(gateway: &Gateway, spec: &ConnectionSpec) -> Option<Report> {
    match twins(gateway, spec).await {
        Ok(names) if names.is_empty() => None,
        Ok(names) => Some(report(&names, spec)),
        Err(error) => {
            tracing::warn!(connection = spec.name, %error, "connections of an earlier run could not be looked for");
            None
        }
    }
}

async fn twins(gateway: &Gateway, spec: &ConnectionSpec) -> Result<Vec<String>, Error> {
    let (Some(database), Some(user)) = (spec.tags.get(DATABASE_TAG), spec.env.get(USER)) else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for listed in gateway.connections_tagged(DATABASE_TAG, database).await? {
        if !is_candidate(gateway, spec, &listed) {
            continue;
        }
        let found = gateway.get_connection(&listed.name).await?;
        if found.is_some_and(|found| found.compare(USER, user) == EnvState::InSync) {
            names.push(listed.name);
        }
    }
    Ok(names)
}

/// Made by this provider, in another run, under another name.
fn is_candidate(gateway: &Gateway, spec: &ConnectionSpec, listed: &ListedConnection) -> bool {
    let is_other = listed.name != spec.name && !gateway.remembers(Made::Connection, &listed.name);
    listed.is_ours() && listed.managed_by.is_none() && listed.subtype == subtype(spec.engine) && is_other
}

fn report(names: &[String], spec: &ConnectionSpec) -> Report {
    let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Report::warning(
        "Another connection for the same database and user",
        format!(
            "This provider also made {names}, for the database and user of the new connection `{}`.\n\nAll is well if this \
             apply replaces it (`create_before_destroy`), or if another block, workspace or configuration holds it. If no \
             state holds it, a run that was interrupted or a state that was lost has left it: delete it in the gateway, or \
             import it by its name. Do not import one that another state holds, because destroying it there would take it \
             away here.",
            spec.name
        ),
    )
}
