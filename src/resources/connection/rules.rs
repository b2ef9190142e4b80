//! Rules over several attributes that need neither the gateway nor AWS. Unknown values are not judged.

use std::collections::BTreeMap;

use crate::access::{EngineKind, is_tag_key, is_tag_value};
use crate::gateway::{DATABASE_TAG, MANAGED_TAG, MOST_TAGS};
use crate::report::Report;
use crate::schema::Attr;
use crate::value::Path;

use super::model::{Connection, IAM, Role};
use super::spec::fallback_database;

/// Tags that the provider itself sets.
pub(super) const OUR_TAGS: [&str; 2] = [MANAGED_TAG, DATABASE_TAG];

/// Everything that is wrong with a configuration or a plan, as far as it is known.
pub(super) fn problems(connection: &Connection) -> Vec<Report> {
    let mut found = Vec::new();
    found.extend(agent(connection));
    if let Some(role) = connection.role.get() {
        found.extend(login(connection, role));
        found.extend(copy(connection, role));
        found.extend(iam(connection, role));
        found.extend(database(connection, role));
    }
    found.extend(connection.tags.get().into_iter().flat_map(tags));
    found.extend(super::texts::problems(connection));
    found
}

fn agent(connection: &Connection) -> Option<Report> {
    let Connection { agent_id, agent_name, .. } = connection;
    let detail = match (agent_id, agent_name) {
        (Attr::Known(_), Attr::Known(_)) => "Both name the agent, and they could differ. Leave one of them out.",
        (Attr::Null, Attr::Null) => {
            "An agent opens the sessions. Set one of them; `data.rdsaccess_agents` lists the agents."
        }
        _ => return None,
    };
    Some(Report::error("Exactly one of `agent_id` and `agent_name` is needed", detail).at(Path::attribute("agent_id")))
}

fn login(connection: &Connection, role: &Role) -> Option<Report> {
    let at = Path::attribute("role").field("secret_ref");
    let by_agent = !connection.secret_delivery.is_unknown() && !connection.is_copy();
    let password = !role.auth.is_unknown() && !role.is_iam();
    match &role.secret_ref {
        Attr::Null if password => Some(
            Report::error(
                "The role has no secret",
                "The connection needs a stored password. Write `role = rdsaccess_role.<name>` where that resource made the \
                 role, set `role.secret_ref`, or `auth = \"iam\"` for a role that logs in with IAM tokens. An import cannot \
                 tell which secret it is: the gateway knows it by the agent's notation only, or not at all.",
            )
            .at(at),
        ),
        Attr::Known(secret) if password && by_agent => super::spec::reference(secret).err().map(|why| {
            Report::error("The gateway's agent cannot find the secret", crate::report::sentence(&why.to_string()))
                .at(at)
        }),
        _ => None,
    }
}

/// A copy needs a password.
fn copy(connection: &Connection, role: &Role) -> Option<Report> {
    (connection.is_copy() && role.is_iam()).then(|| {
        Report::error(
            "There is no password to copy",
            format!("The role logs in with IAM tokens (`auth = \"{IAM}\"`). Leave `secret_delivery` out."),
        )
        .at(Path::attribute("secret_delivery"))
    })
}

/// What the agent needs to make IAM tokens: an engine it can do it for, and the region as the third part of the host.
fn iam(connection: &Connection, role: &Role) -> Option<Report> {
    let role = Some(role).filter(|role| role.is_iam())?;
    if role.engine.get() == Some(&EngineKind::Sqlserver) {
        let detail = "RDS for SQL Server has no IAM database authentication. Set `auth = \"password\"`.";
        return Some(Report::error("No IAM tokens for SQL Server", detail).at(Path::attribute("role").field("auth")));
    }
    let (endpoint, arn) = (role.endpoint.get()?, connection.target_arn.get()?);
    let region = endpoint.split('.').nth(2);
    (region != Some(arn.region.as_str())).then(|| {
        Report::error(
            "The agent cannot make IAM tokens for this host name",
            format!(
                "With `auth = \"{IAM}\"` the gateway's agent takes the region from the third part of the host name. In \
                 `{endpoint}` that is not {}, the region of {arn}. Use the endpoint that RDS gave the database.",
                arn.region
            ),
        )
        .at(Path::attribute("role").field("endpoint"))
    })
}

fn database(connection: &Connection, role: &Role) -> Option<Report> {
    let engine = *role.engine.get()?;
    let is_missing = connection.database.is_null() && role.default_database.is_null();
    (is_missing && fallback_database(engine).is_none()).then(|| {
        Report::error(
            "No database to open",
            "The gateway's client opens a database at the start of a session. Set `database`, or \
             `role.default_database`.",
        )
        .at(Path::attribute("database"))
    })
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Report> {
    let path = |key: &str| Path::attribute("tags").key(key);
    let mut found: Vec<Report> =
        tags.iter().filter_map(|(key, value)| tag(key, value).map(|r| r.at(path(key)))).collect();
    let most = MOST_TAGS - OUR_TAGS.len();
    if tags.len() > most {
        let detail = format!(
            "The gateway takes {MOST_TAGS} tags, and {} of them are the provider's own ({}). {} are given; {most} are \
             possible.",
            OUR_TAGS.len(),
            OUR_TAGS.join(", "),
            tags.len()
        );
        found.push(Report::error("Too many tags", detail).at(Path::attribute("tags")));
    }
    found
}

fn tag(key: &str, value: &str) -> Option<Report> {
    let report = |why: String| Some(Report::error(format!("Invalid tag `{key}`"), why));
    if OUR_TAGS.contains(&key) {
        return report("The provider sets this tag itself. Leave it out.".to_owned());
    }
    if !is_tag_key(key) {
        return report(
            "A key has 1 to 64 letters, digits and `_`, joined by single `-`, `.` or `/`. Choose another key."
                .to_owned(),
        );
    }
    if !is_tag_value(value) {
        return report(format!(
            "The gateway takes 1 to 256 letters, digits, spaces and `-_+=@/:` as a value, and no dot. Write \
             `provider::rdsaccess::tag_value({value:?})`, or another value."
        ));
    }
    None
}
