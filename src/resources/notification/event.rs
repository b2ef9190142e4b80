//! From a plan to an event. Pure.

use serde_json::json;
use sha1::{Digest as _, Sha1};

use crate::access::{Auth, COMPLETE, Endpoint, Target};
use crate::notify::{Database, Event, Outcome, SecretPlace};

use super::super::rotation::OK;
use super::model::{Notification, RoleResult};

/// The namespace of our ids, a UUID of its own.
const NAMESPACE: [u8; 16] =
    [0x6f, 0x1d, 0x2a, 0x9c, 0x4b, 0x7e, 0x5d, 0x13, 0x8a, 0x60, 0x2e, 0x91, 0xc4, 0x35, 0xf7, 0x08];

/// The id of an event: UUID version 5 of what is told and of the event before. The same plan always gives the same id,
/// also in a process that knows nothing of one that was killed; going back to what was told earlier gives another one.
/// So does another application of Svix, because a server of Svix may compare ids over all of its applications.
pub(super) fn event_id(before: Option<&str>, planned: &Notification) -> String {
    let results: Vec<_> = planned.results.get().into_iter().flatten().map(told).collect();
    let triggers: Vec<_> = planned.triggers.get().into_iter().flatten().collect();
    let arn = planned.target_arn.get().map(ToString::to_string);
    let name = match application(planned) {
        Some(application) => json!([before, arn, results, triggers, application]),
        None => json!([before, arn, results, triggers]),
    };
    let name = name.to_string();
    let hash = Sha1::new().chain_update(NAMESPACE).chain_update(name).finalize();
    uuid(hash.as_slice())
}

fn application(planned: &Notification) -> Option<&String> {
    planned.webhook.get()?.svix.get()?.app_id.get()
}

fn told(role: &RoleResult) -> serde_json::Value {
    json!([
        role.username.get(),
        role.access.get().map(|access| access.as_str()),
        role.engine.get().map(|engine| engine.as_str()),
        role.endpoint.get(),
        role.port.get(),
        role.default_database.get(),
        role.auth.get().map(|auth| auth.as_str()),
        role.secret_ref.get().map(ToString::to_string),
        role.secret_version.get(),
        role.rotated_at.get(),
        role.coverage.get().map(|coverage| coverage.iter().collect::<Vec<_>>()),
        role.credential.get(),
    ])
}

/// RFC 9562: the first 16 bytes, with version and variant in their places.
fn uuid(hash: &[u8]) -> String {
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = *hashed);
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
    *version = *version & 0x0f | 0x50;
    *variant = *variant & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| text.get(group).unwrap_or_default());
    groups.join("-")
}

/// The event of a plan.
pub(super) fn event(
    planned: &Notification,
    before: Option<&str>,
    target: &Target,
    account_arn: &str,
    created_at: &str,
) -> Event {
    Event {
        id: event_id(before, planned),
        organization: application(planned).cloned().unwrap_or_default(),
        account_arn: account_arn.to_owned(),
        created_at: created_at.to_owned(),
        database: Database {
            arn: target.arn.clone(),
            name: target.database_name.clone().unwrap_or_default(),
            engine: target.rds_engine.clone(),
            endpoint: target.endpoint.clone(),
            master: target.master_username.clone(),
            tags: target.tags.clone(),
        },
        roles: planned.results.get().into_iter().flatten().map(outcome).collect(),
    }
}

fn outcome(role: &RoleResult) -> Outcome {
    let host = role.endpoint.get().cloned();
    let port = role.port.get().and_then(|port| u16::try_from(*port).ok());
    let port = port.or_else(|| role.engine.get().map(|engine| engine.default_port()));
    Outcome {
        username: role.username.get().cloned().unwrap_or_default(),
        suffix: role.access.get().map_or("", |access| access.suffix()),
        endpoint: host.zip(port).map(|(host, port)| Endpoint { host, port }),
        default_database: role.default_database.get().cloned().unwrap_or_default(),
        secret: secret(role),
        completed_at: role.rotated_at.get().cloned().unwrap_or_default(),
        problem: problem(role),
    }
}

fn secret(role: &RoleResult) -> SecretPlace {
    match role.secret_ref.get() {
        _ if role.auth.get() == Some(&Auth::Iam) => SecretPlace::Tokens,
        Some(secret_ref) => SecretPlace::At(secret_ref.clone()),
        None => SecretPlace::Unnamed,
    }
}

/// What is wrong with a role: everything that it lacks, and its password.
fn problem(role: &RoleResult) -> Option<String> {
    let lacking = role.coverage.get().into_iter().flatten().filter(|(_, state)| *state != COMPLETE);
    let mut wrong: Vec<String> = lacking.map(|(database, state)| format!("{database}: {state}")).collect();
    wrong.extend(role.credential.get().filter(|state| *state != OK).map(|state| format!("credential: {state}")));
    (!wrong.is_empty()).then(|| wrong.join(", "))
}
