//! Passwords that RDS makes, keeps and rotates: switching that on, rotating, and reading how it stands.

use crate::access::{Arn, RoleName, SecretRef, Target};
use crate::aws;
use crate::aws::rds::Pauses;
use crate::aws::secrets::{CURRENT, Schedule, Secrets};
use crate::context::{Attempt, Context, Found, Takes, found};
use crate::report::Report;
use crate::schema::{Apply, Attr, Reports};
use crate::store;

use super::error::Error;
use super::model::MasterCredential;
use super::steps::{self, Master};
use super::wait::{self, Deadline};
use super::{key, observe};
use crate::resources::rotation::{OK, in_seconds};

/// What RDS says of a secret that is in use and not changing.
pub(super) const ACTIVE: &str = "active";
pub(super) const ROTATING: &str = "rotating";
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

/// What an apply wants of RDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// It manages the password
    Managed,
    /// And the password in its secret logs in: one that is refused is replaced, as the plan has warned
    Working,
    /// Another password
    Another,
}

/// What RDS was asked for.
struct Asked {
    /// Whether it was asked to change anything
    changes: bool,
    /// The version that must not be the current one any more
    known: Option<String>,
}

/// Lets RDS manage the password, or takes over a management that is on already. Every step is found again by a run that
/// continues: the management is on or off, the secret is rotating or not. What RDS has accepted is kept in the state of
/// an update, whatever fails after it, so that the same keepers do not rotate again.
pub(super) async fn ensure(
    context: &Context,
    arn: &Arn,
    apply: &mut Apply<MasterCredential>,
    want: Want,
    end: Deadline,
) -> Result<(), Reports> {
    let master = Master::enter(context, arn, end).await?;
    let planned = apply.planned.clone();
    check(&master.target, apply)?;
    let schedule = planned.managed_schedule();
    if let (Some(secret_ref), Some(wanted)) = (&master.target.managed_secret, schedule) {
        // Before a rotation, so that nothing is left to fail after it.
        set_schedule(context, secret_ref, wanted).await?;
    }
    let asked = start(&master, &planned, want).await?;
    if asked.changes {
        observe::asked(apply);
    }
    let (target, secret_ref, version) = wait::for_managed(&master, asked.changes, asked.known.as_deref()).await?;
    let made = Managed { target, username: master.username, secret_ref, version };
    let secret_ref = made.secret_ref.clone();
    observe::managed(context, apply, made)?;
    match schedule {
        Some(wanted) => set_schedule(context, &secret_ref, wanted).await,
        None => Ok(()),
    }
}

/// Refuses what the plan did not say, before anything is asked of RDS: another secret, or none at all, where the plan
/// found one, and another key.
fn check(target: &Target, apply: &Apply<MasterCredential>) -> Result<(), Error> {
    let planned = &apply.planned;
    if planned.secret_ref.is_known() && planned.secret_ref.get() != target.managed_secret.as_ref() {
        return Err(Error::Moved(target.arn.clone()));
    }
    let prior = apply.prior.as_ref().filter(|prior| prior.is_managed());
    key::check(target, prior.map_or(&Attr::Null, |prior| &prior.kms_key_id), &planned.kms_key_id)
}

/// Refuses another key where nothing else changes.
pub(super) async fn check_key(context: &Context, apply: &Apply<MasterCredential>) -> Result<(), Reports> {
    let (Some(prior), Some(arn)) = (&apply.prior, apply.planned.target_arn.get()) else { return Ok(()) };
    if !prior.is_managed() || prior.kms_key_id == apply.planned.kms_key_id {
        return Ok(());
    }
    match found(arn, Takes::Writers, context.aws()?.describe_now(arn).await?)? {
        Found::Target(target) => Ok(check(&target, apply)?),
        Found::Gone => Ok(()),
    }
}

/// Asks RDS for what is missing.
async fn start(master: &Master<'_>, model: &MasterCredential, want: Want) -> Result<Asked, Reports> {
    let target = &master.target;
    let Some(secret_ref) = &target.managed_secret else {
        steps::check_alone(target)?;
        master.end.check_change(&target.arn)?;
        tracing::info!(target_arn = %target.arn, "letting RDS manage the master password");
        master.lock.manage_master_password(model.kms_key_id.get().map(String::as_str)).await?;
        return Ok(Asked { changes: true, known: None });
    };
    let status = target.managed_status.as_deref();
    let rotates = match want {
        Want::Another if status == Some(IMPAIRED) => return Err(impaired(target, secret_ref).into()),
        // A new password is on its way already.
        Want::Another => status != Some(ROTATING),
        Want::Working => status == Some(ACTIVE) && is_refused(master, secret_ref).await?,
        Want::Managed => false,
    };
    if !rotates {
        return Ok(Asked { changes: false, known: None });
    }
    steps::check_alone(target)?;
    let known = current(master.context, secret_ref).await?.map(|version| version.id);
    master.end.check_change(&target.arn)?;
    tracing::info!(target_arn = %target.arn, "letting RDS rotate the master password");
    rotate(master, secret_ref, known.as_deref()).await?;
    Ok(Asked { changes: true, known })
}

/// Whether the server refuses the password in the secret of RDS. One that cannot be asked must get no new password.
async fn is_refused(master: &Master<'_>, secret_ref: &SecretRef) -> Result<bool, Reports> {
    Ok(observe::log_in_as_rds(master.context, &master.target, secret_ref).await? != OK)
}

/// Lets RDS rotate, once: when the answer to a call was lost, sending it again finds a database that is changing. So
/// before another call RDS and the secret are asked whether it was done.
async fn rotate(master: &Master<'_>, secret_ref: &SecretRef, known: Option<&str>) -> Result<(), Reports> {
    let mut pauses = Pauses::default();
    while !master.lock.try_rotate_managed_password(&mut pauses).await? {
        let Some(target) = wait::look(master).await else { continue };
        if target.managed_status.as_deref() == Some(ROTATING) {
            return Ok(());
        }
        if current(master.context, secret_ref).await?.is_some_and(|version| Some(version.id.as_str()) != known) {
            return Ok(());
        }
    }
    Ok(())
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
    let version = match current_version(&secrets_of(master.context, secret_ref).await?, secret_ref).await {
        Ok(Some(version)) if Some(version.id.as_str()) == known => {
            return Ok(Progress::NotYet("its secret still holds the password of before".to_owned()));
        }
        Ok(Some(version)) => version,
        Ok(None) => return Ok(Progress::NotYet("its secret holds no password yet".to_owned())),
        Err(error) if passes(&error) => return Ok(Progress::NotYet(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let credential = match master.context.try_secret(secret_ref).await? {
        Ok(credential) => credential,
        Err(error) if is_not_yet(&error) => return Ok(Progress::NotYet(error.to_string())),
        Err(error) => return Err(error.into()),
    };
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

/// Whether an error of AWS ends by itself: its answers do not come at once after a secret was made, or come too often.
fn passes(error: &aws::Error) -> bool {
    matches!(error.fault, aws::Fault::Throttled(_) | aws::Fault::Unreachable(_) | aws::Fault::NotFound(_))
}

fn is_not_yet(error: &store::Error) -> bool {
    match &error.fault {
        store::Fault::Aws(error) => passes(error),
        store::Fault::Gone | store::Fault::NoVersion(_) => true,
        _ => false,
    }
}

/// The version of a secret that readers get; `None` when it has none.
pub(super) async fn current(context: &Context, secret_ref: &SecretRef) -> Result<Option<Version>, Reports> {
    Ok(current_version(&secrets_of(context, secret_ref).await?, secret_ref).await?)
}

async fn current_version(secrets: &Secrets, secret_ref: &SecretRef) -> Result<Option<Version>, aws::Error> {
    let versions = secrets.versions(&secret_ref.to_string()).await?;
    let current = versions.into_iter().find(|version| version.stages.iter().any(|stage| stage == CURRENT));
    Ok(current.map(|version| Version { id: version.id, stored_at: version.created_at.map(in_seconds) }))
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
