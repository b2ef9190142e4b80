//! Rules for single names and ids. The gateway refuses the ids with an error of its database; the others it would take, and
//! they would do nothing, or something else than they say.

use std::collections::BTreeSet;

use crate::gateway::Reference;
use crate::report::Report;
use crate::schema::Attr;
use crate::value::Path;

use super::model::{Connection, Role};

/// Lengths of the parts of a UUID, in hexadecimal digits.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// Everything that is wrong with names and ids, as far as they are known.
pub(super) fn problems(connection: &Connection) -> Vec<Report> {
    let mut found = Vec::new();
    found.extend(agent_id(connection));
    found.extend(ids(connection));
    found.extend(blank_names(connection));
    found.extend(blank_members(connection));
    found.extend(references(connection));
    found
}

/// As the gateway shows it again: in lower case.
fn is_uuid(text: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.split('-').map(str::len).eq(UUID) && text.split('-').all(is_hex)
}

fn agent_id(connection: &Connection) -> Option<Report> {
    let id = connection.agent_id.get().filter(|id| !id.is_empty() && !is_uuid(id))?;
    let detail = match is_uuid(&id.to_lowercase()) {
        true => format!("The gateway shows ids in lower case. Write `{}`.", id.to_lowercase()),
        false => format!(
            "The id of an agent is a UUID. `{id}` looks like a name: use `agent_name = {id:?}` in its place. \
             `data.rdsaccess_agents` lists names and ids."
        ),
    };
    Some(Report::error("`agent_id` is not the id of an agent", detail).at(Path::attribute("agent_id")))
}

fn ids(connection: &Connection) -> Vec<Report> {
    let rules = connection.guardrail_rules.get().into_iter().flatten().map(|id| ("guardrail_rules", id));
    let template = connection.jira_issue_template_id.get().map(|id| ("jira_issue_template_id", id));
    let wrong = rules.chain(template).filter(|(_, id)| !id.is_empty() && !is_uuid(id));
    wrong
        .map(|(name, id)| {
            let detail = format!(
                "`{id}` is no id of the gateway: those are UUIDs in lower case, such as \
                 `b19bba55-8646-4d94-a40a-c3afe2f4bafd`. The gateway lists them with their names."
            );
            Report::error(format!("Invalid value for `{name}`"), detail).at(Path::attribute(name))
        })
        .collect()
}

/// What is empty without being the empty text.
fn blank_names(connection: &Connection) -> Vec<Report> {
    let role = connection.role.get();
    let in_role = |part: fn(&Role) -> &Attr<String>| role.and_then(|role| part(role).get());
    let of_role = |name: &str| Path::attribute("role").field(name);
    let texts = [
        (connection.agent_name.get(), Path::attribute("agent_name")),
        (connection.database.get(), Path::attribute("database")),
        (connection.resource_name.get(), Path::attribute("resource_name")),
        (in_role(|role| &role.default_database), of_role("default_database")),
        (in_role(|role| &role.endpoint), of_role("endpoint")),
        (in_role(|role| &role.username), of_role("username")),
    ];
    let is_blank = |text: &String| !text.is_empty() && text.trim().is_empty();
    let wrong = texts.into_iter().filter(|(text, _)| text.is_some_and(is_blank));
    wrong.map(|(_, at)| blank(&at, "holds nothing but spaces. Give it a value, or leave it out.")).collect()
}

/// An empty text in a set is a variable that was not set: as a group nobody is in it, and nobody could approve.
fn blank_members(connection: &Connection) -> Vec<Report> {
    let sets: [(&str, &Attr<BTreeSet<String>>); 7] = [
        ("reviewers", &connection.reviewers),
        ("groups", &connection.groups),
        ("guardrail_rules", &connection.guardrail_rules),
        ("redact_types", &connection.redact_types),
        ("force_approve_groups", &connection.force_approve_groups),
        ("attributes", &connection.attributes),
        ("mandatory_metadata_fields", &connection.mandatory_metadata_fields),
    ];
    let wrong = sets.into_iter().filter(|(_, set)| set.get().into_iter().flatten().any(|text| text.trim().is_empty()));
    wrong
        .map(|(name, _)| {
            blank(&Path::attribute(name), "holds an empty text. Take it out; without any other leave the setting out.")
        })
        .collect()
}

fn blank(at: &Path, why: &str) -> Report {
    Report::error(format!("Invalid value for `{at}`"), format!("`{at}` {why}")).at(at.clone())
}

/// The agent would look for a secret of that name instead of taking the value literally.
fn references(connection: &Connection) -> Vec<Report> {
    let role = connection.role.get();
    let in_role = |part: fn(&Role) -> &Attr<String>| role.and_then(|role| part(role).get());
    let of_role = |name: &str| Path::attribute("role").field(name);
    let default_database = in_role(|role| &role.default_database).filter(|_| connection.database.is_null());
    let values = [
        (connection.database.get(), Path::attribute("database")),
        (default_database, of_role("default_database")),
        (in_role(|role| &role.endpoint), of_role("endpoint")),
        (in_role(|role| &role.username), of_role("username")),
    ];
    let wrong = values.into_iter().filter_map(|(text, at)| Some((text.filter(|text| Reference::is_magic(text))?, at)));
    wrong
        .map(|(text, at)| {
            let detail = format!(
                "The gateway's agent takes `{text}` for a reference to a store of secrets and would look there. Host, user \
                 and database of a connection are plain values."
            );
            Report::error(format!("Invalid value for `{at}`"), detail).at(at)
        })
        .collect()
}
