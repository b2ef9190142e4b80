//! Passwords that RDS makes, keeps and rotates: switching that on, rotating, and reading how it stands.

use std::time::SystemTime;

use crate::access::rotation::Goal;
use crate::access::{Arn, RoleName, SecretRef, Target};
use crate::aws::secrets::{CURRENT, Schedule, Secrets};
use crate::context::{Attempt, Context};
use crate::report::Report;
use crate::schema::Reports;

use super::error::Error;
use super::model::MasterCredential;
use super::steps::{self, Master};
use super::wait::{self, Deadline};

/// What RDS says of a secret that is in use and not changing.
const ACTIVE: &str = "active";
const ROTATING: &str = "rotating";
const IMPAIRED: &str = "impaired";

/// The current version of a secret of RDS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) id: String,
    /// When it was stored, RFC 3339 in whole seconds
    pub(super) stored_at: Option<String>,
}

/// What an apply reached.
pub(super) struct Managed {
    pub(super) target: Target,
    pub(super) username: RoleName,
    pub(super) secret_ref: SecretRef,
    pub(super) version: Version,
}

/// How far RDS is.
pub(super) enum Progress {
    /// The secret is active, and a login with this version works
    Works(SecretRef, Version),
    /// RDS has lost the way to its secret
    Impaired(Error),
    /// Why not yet
    NotYet(String),
}

/// Lets RDS manage the password, or takes over a management that is on already; with [`Goal::Renew`] the password is
/// replaced. Every step is found again by a run that continues: the management is on or off, the secret is rotating or
/// not.
pub(super) async fn ensure(
    context: &Context,
    arn: &Arn,
    model: &MasterCredential,
    goal: Goal,
    end: Deadline,
) -> Result<Managed, Reports> {
    let master = Master::enter(context, arn, end).await?;
    let known = start(&master, model, goal).await?;
    let (target, secret_ref, version) = wait::for_managed(&master, known.as_deref()).await?;
    if let Some(wanted) = model.managed_schedule() {
        set_schedule(context, &secret_ref, wanted).await?;
    }
    Ok(Managed { target, username: master.username, secret_ref, version })
}

/// Asks RDS for what is missing; the version that must not be the current one any more, if there is one.
async fn start(master: &Master<'_>, model: &MasterCredential, goal: Goal) -> Result<Option<String>, Reports> {
    let (target, lock) = (&master.target, &master.lock);
    let Some(secret_ref) = &target.managed_secret else {
        steps::check_alone(target)?;
        master.end.check_change(&target.arn)?;
        tracing::info!(target_arn = %target.arn, "letting RDS manage the master password");
        lock.manage_master_password(model.kms_key_id.get().map(String::as_str)).await?;
        return Ok(None);
    };
    check_key(target, model)?;
    if goal == Goal::Ensure || target.managed_status.as_deref() == Some(ROTATING) {
        return Ok(None);
    }
    if target.managed_status.as_deref() == Some(IMPAIRED) {
        return Err(impaired(target, secret_ref).into());
    }
    steps::check_alone(target)?;
    let known = current(master.context, secret_ref).await?.map(|version| version.id);
    master.end.check_change(&target.arn)?;
    tracing::info!(target_arn = %target.arn, "letting RDS rotate the master password");
    lock.rotate_managed_password().await?;
    Ok(known)
}

/// One look at the secret of RDS, and at most one login.
pub(super) async fn look(master: &Master<'_>, target: &Target, known: Option<&str>) -> Result<Progress, Reports> {
    let Some(secret_ref) = &target.managed_secret else {
        return Ok(Progress::NotYet("RDS shows no secret of its own yet".to_owned()));
    };
    match target.managed_status.as_deref() {
        Some(ACTIVE) => {}
        Some(IMPAIRED) => return Ok(Progress::Impaired(impaired(target, secret_ref))),
        other => return Ok(Progress::NotYet(format!("its secret is {}", other.unwrap_or("in an unknown state")))),
    }
    let version = match current(master.context, secret_ref).await? {
        Some(version) if Some(version.id.as_str()) == known => {
            return Ok(Progress::NotYet("its secret still holds the password of before".to_owned()));
        }
        Some(version) => version,
        None => return Ok(Progress::NotYet("its secret holds no password yet".to_owned())),
    };
    let credential = master.context.read_secret(secret_ref).await?;
    Ok(match master.context.try_login(target, &master.username, &credential.password).await? {
        Attempt::Accepted => Progress::Works(secret_ref.clone(), version),
        Attempt::Refused => Progress::NotYet("the server refuses the password in its secret".to_owned()),
        // A failover or a restart in between ends by itself.
        Attempt::OutOfReach(error) => Progress::NotYet(error.to_string()),
    })
}

fn impaired(target: &Target, secret: &SecretRef) -> Error {
    Error::Impaired { arn: target.arn.clone(), secret: secret.clone() }
}

/// RDS takes a key only when it begins to manage the password.
pub(super) fn check_key(target: &Target, model: &MasterCredential) -> Result<(), Error> {
    let (Some(wanted), Some(found)) = (model.kms_key_id.get(), &target.managed_kms_key_id) else { return Ok(()) };
    if is_same_key(wanted, found) {
        return Ok(());
    }
    Err(Error::OtherKey { arn: target.arn.clone(), found: found.clone(), wanted: wanted.clone() })
}

/// Whether both may be one key. AWS tells ARNs; which key an alias means cannot be told without asking KMS.
fn is_same_key(wanted: &str, found: &str) -> bool {
    let id = |text: &str| text.rsplit("key/").next().unwrap_or(text).to_owned();
    wanted.starts_with("alias/") || wanted.contains(":alias/") || id(wanted) == id(found)
}

/// The version of a secret that readers get; `None` when it has none.
pub(super) async fn current(context: &Context, secret_ref: &SecretRef) -> Result<Option<Version>, Reports> {
    let versions = secrets_of(context, secret_ref).await?.versions(&secret_ref.to_string()).await?;
    let current = versions.into_iter().find(|version| version.stages.iter().any(|stage| stage == CURRENT));
    Ok(current.map(|version| Version { id: version.id, stored_at: version.created_at.map(in_seconds) }))
}

fn in_seconds(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// How often AWS rotates the secret of RDS.
pub(super) async fn schedule(context: &Context, secret_ref: &SecretRef) -> Result<Option<Schedule>, Reports> {
    Ok(secrets_of(context, secret_ref).await?.schedule(&secret_ref.to_string()).await?)
}

/// Sets the schedule where it differs.
pub(super) async fn set_schedule(context: &Context, secret_ref: &SecretRef, wanted: Schedule) -> Result<(), Reports> {
    let secrets = secrets_of(context, secret_ref).await?;
    let id = secret_ref.to_string();
    if secrets.schedule(&id).await? != Some(wanted) {
        secrets.set_schedule(&id, wanted).await?;
    }
    Ok(())
}

async fn secrets_of(context: &Context, secret_ref: &SecretRef) -> Result<Secrets, Reports> {
    match secret_ref {
        SecretRef::SecretsManager { account_id, region, .. } => Ok(context.aws()?.secrets(account_id, region).await?),
        SecretRef::Vault { .. } => {
            let detail = format!("{secret_ref} is no secret of Secrets Manager, so RDS cannot manage it.");
            Err(Report::error("Not a secret of RDS", detail).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_id_and_an_alias_is_taken_on_trust() {
        let arn = "arn:aws:kms:eu-west-1:123456789012:key/0a1b";
        assert!(is_same_key("0a1b", arn) && is_same_key(arn, arn));
        assert!(is_same_key("alias/db", arn) && is_same_key("arn:aws:kms:eu-west-1:1:alias/db", arn));
        assert!(!is_same_key("0a1c", arn));
    }
}
