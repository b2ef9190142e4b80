//! STS: who somebody is, and entering an account.

use super::no_such_action;
use crate::caller::{Caller, make_key, make_token};
use crate::numbering::digits;
use crate::wire::{Answer, Refusal, Request, Service};
use crate::world::World;
use crate::xml::Xml;

/// The most that the member role allows.
const LONGEST_SESSION: u64 = 3600;

pub(super) fn answer(world: &World, caller: &Caller, request: &Request, now: u64) -> Result<Answer, Refusal> {
    match request.action.as_str() {
        "GetCallerIdentity" => Ok(identity(world, caller)),
        "AssumeRole" => assume_role(world, caller, request, now),
        _ => Err(no_such_action(request)),
    }
}

fn identity(world: &World, caller: &Caller) -> Answer {
    let mut xml = Xml::default();
    let user = format!("AIDA{}", digits(&["user", &caller.key], 17).to_uppercase());
    xml.text(
        "UserId",
        caller.session.as_ref().map_or(user, |session| format!("{}:{session}", role_id(world, caller.account))),
    );
    xml.text("Account", world.organization.account_id(caller.account));
    xml.text("Arn", caller.arn(world));
    Answer::Xml(xml)
}

fn assume_role(world: &World, caller: &Caller, request: &Request, now: u64) -> Result<Answer, Refusal> {
    let arn = request.parameter("RoleArn").unwrap_or_default();
    let session = request.parameter("RoleSessionName").unwrap_or_default();
    if session.len() < 2
        || session.len() > 64
        || !session.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
    {
        return Err(Refusal::invalid(
            Service::Sts,
            format!("Value '{session}' at 'roleSessionName' failed to satisfy constraint"),
        ));
    }
    let account = may_enter(world, caller, request, arn).ok_or_else(|| {
        let text =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", caller.arn(world));
        Refusal::denied(Service::Sts, text)
    })?;
    let expires = now + world.settings.session_seconds.unwrap_or(duration(request)?);
    let key = make_key(world, account, expires);
    let mut xml = Xml::default();
    xml.element("Credentials", |xml| {
        xml.text("SecretAccessKey", digits(&["secret", &key], 40));
        xml.text("SessionToken", make_token(session));
        xml.text("Expiration", timestamp(expires));
        xml.text("AccessKeyId", key);
    });
    xml.element("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", format!("{}:{session}", role_id(world, account)));
        let role = Caller { account, session: Some(session.to_owned()), ..caller.clone() };
        xml.text("Arn", role.arn(world));
    });
    Ok(Answer::Xml(xml))
}

/// The account that the role opens to this caller. AWS tells no reasons either.
fn may_enter(world: &World, caller: &Caller, request: &Request, arn: &str) -> Option<u32> {
    let (id, role) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    let account = world.organization.account(id)?;
    let missing = world.settings.role_missing_every;
    let has_role = missing == 0 || !account.is_multiple_of(missing);
    let external_id = world.settings.external_id.as_deref();
    let may = caller.account == 0
        && account != 0
        && role == world.settings.member_role
        && has_role
        && !world.organization.is_suspended(account)
        && external_id.is_none_or(|id| request.parameter("ExternalId") == Some(id));
    may.then_some(account)
}

fn duration(request: &Request) -> Result<u64, Refusal> {
    let Some(text) = request.parameter("DurationSeconds") else { return Ok(LONGEST_SESSION) };
    match text.parse() {
        Ok(seconds) if seconds > LONGEST_SESSION && seconds <= 43_200 => {
            let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
            Err(Refusal::invalid(Service::Sts, text))
        }
        Ok(seconds) if (900..=43_200).contains(&seconds) => Ok(seconds),
        _ => Err(Refusal::invalid(
            Service::Sts,
            format!("Value '{text}' at 'durationSeconds' failed to satisfy constraint"),
        )),
    }
}

fn role_id(world: &World, account: u32) -> String {
    format!("AROA{}", digits(&["role", &world.settings.seed.to_string(), &account.to_string()], 17).to_uppercase())
}

fn timestamp(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|s| jiff::Timestamp::from_second(s).ok())
        .map_or_else(String::new, |t| t.to_string())
}
