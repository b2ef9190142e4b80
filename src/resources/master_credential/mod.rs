//! `rdsaccess_master_credential`: the master password of a database, generated, stored, proven and rotated.

mod error;
mod key;
mod managed;
mod model;
mod observe;
mod plan;
mod rules;
mod steps;
mod wait;

use crate::access::Arn;
use crate::context::{Context, Found, Takes, found};
use crate::report::Report;
use crate::schema::{Apply, Attr, Change, Reading, Reports, Resource};

use super::lost;
use super::rotation::{self, Trigger, leave_old_place};
use managed::Want;
use model::{MasterCredential, MasterCredentialIdentity};
use plan::Reason;
use steps::Wanted;
use wait::Deadline;

/// The resource.
pub struct MasterCredentialResource;

impl Resource for MasterCredentialResource {
    type Context = Context;
    type Model = MasterCredential;
    type Identity = MasterCredentialIdentity;

    const NAME: &'static str = "rdsaccess_master_credential";
    const SUBCATEGORY: &'static str = "Credentials";
    const IMPORT_ID: &'static str = "`<target_arn>`";
    const IMPORT_NOTE: &'static str = "An import knows no configuration: it looks for the secret where the `store` of the \
provider block says, and is refused when it is not there. For a secret in another place leave the import out: a create \
takes over a secret of this provider that still logs in, and one that `adopt_secret_ref` names, without a reset.";

    fn identity(state: &MasterCredential) -> MasterCredentialIdentity {
        MasterCredentialIdentity { target_arn: state.target_arn.clone() }
    }

    fn validate(config: &MasterCredential) -> Vec<Report> {
        rules::validate(config)
    }

    async fn plan(&self, context: &Context, change: &mut Change<MasterCredential>) -> Result<(), Reports> {
        if lost::rests(context, change) { Ok(()) } else { plan::plan(context, change).await }
    }

    async fn read(&self, context: &Context, reading: &mut Reading<MasterCredential>) -> Result<bool, Reports> {
        lost::forget(&mut reading.private);
        observe::read(context, reading).await
    }

    async fn create(&self, context: &Context, apply: &mut Apply<MasterCredential>) -> Result<(), Reports> {
        let end = Deadline::of(&apply.planned, true);
        let arn = target_arn(&apply.planned)?;
        if apply.planned.is_managed() {
            return managed::ensure(context, &arn, apply, Want::Managed, end).await;
        }
        let adopt = apply.planned.adopt_secret_ref.get().cloned();
        let wanted = adopt.as_ref().map_or(Wanted::Working, Wanted::Adopted);
        let secured = steps::secure(context, &arn, &apply.planned, wanted, end).await?;
        observe::made(context, apply, &secured).await
    }

    async fn update(&self, context: &Context, apply: &mut Apply<MasterCredential>) -> Result<(), Reports> {
        let prior = apply.prior.clone().unwrap_or_default();
        let Some(reason) = plan::reason(&prior, &apply.planned, &apply.private) else {
            rotation::note_kept(&mut apply.private, &prior.secret_version);
            return managed::check_key(context, apply).await;
        };
        let end = Deadline::of(&apply.planned, false);
        let arn = target_arn(&apply.planned)?;
        if apply.planned.is_managed() {
            return update_managed(context, apply, &prior, &arn, reason, end).await;
        }
        if reason == Reason::Switch {
            let secured = steps::take_over(context, &arn, &apply.planned, end).await?;
            return observe::made(context, apply, &secured).await;
        }
        let wanted = match reason {
            Reason::Rotation(Trigger::Keepers) => Wanted::ForKeepers(&apply.private),
            Reason::Rotation(Trigger::Due) => Wanted::Another,
            _ => Wanted::Working,
        };
        steps::check_place(context, &arn, &apply.planned).await?;
        let secured = steps::secure(context, &arn, &apply.planned, wanted, end).await?;
        observe::made(context, apply, &secured).await?;
        leave_secret(context, apply, &prior, &arn).await;
        Ok(())
    }

    async fn delete(&self, context: &Context, apply: &mut Apply<MasterCredential>) -> Result<(), Reports> {
        let arn = target_arn(&apply.state)?;
        // Its secret is deleted with it: what was read a while ago must not decide that.
        let described = match context.aws()?.describe_now(&arn).await {
            Ok(described) => described,
            Err(error) => return leave(context, apply, &arn, error.into()),
        };
        if found(&arn, Takes::ReplicasToo, described) == Ok(Found::Gone) {
            if apply.state.is_managed() {
                // RDS deletes its secret with the database.
                return Ok(());
            }
            if let Some(secret_ref) = apply.state.secret_ref.get() {
                let store = context.store(apply.state.store_settings().as_ref(), &arn)?;
                let held = store.look(secret_ref).await?;
                let mark = held.and_then(|held| held.target);
                let known = apply.state.target_resource_id.get().cloned().or(mark);
                if let Some(renamed) = context.renamed_now(&arn, known.as_deref()).await? {
                    apply.warnings.push(observe::left_renamed(secret_ref, &arn, &renamed));
                    return Ok(());
                }
                store.forget(secret_ref).await?;
            }
            return Ok(());
        }
        apply.warnings.push(observe::left_behind(&apply.state));
        Ok(())
    }

    fn import_id(id: &str) -> Result<MasterCredential, Reports> {
        let arn: Arn = id.parse().map_err(|error: crate::access::Invalid| {
            Report::error("Invalid import id", format!("{error}. The id is {}.", Self::IMPORT_ID))
        })?;
        Ok(MasterCredential { target_arn: arn.into(), ..MasterCredential::default() })
    }

    fn import_identity(identity: &MasterCredentialIdentity) -> Result<MasterCredential, Reports> {
        match &identity.target_arn {
            Attr::Known(arn) => Ok(MasterCredential { target_arn: arn.clone().into(), ..MasterCredential::default() }),
            _ => Err(Report::error("Incomplete identity", "`target_arn` is missing.").into()),
        }
    }
}

/// Takes leave of a password whose database cannot be asked: nothing is undone in any case, but whether the database is
/// there decides over its secret, so whatever keeps it from being asked is an error unless AWS takes the account away.
///
/// # Errors
/// The reports, where they say anything else.
fn leave(context: &Context, apply: &mut Apply<MasterCredential>, arn: &Arn, reports: Reports) -> Result<(), Reports> {
    let warning = context.leaves_with_account(&reports, &format!("The master password of {arn}")).ok_or(reports)?;
    // The account may be reopened, and then nothing else knows the password.
    apply.warnings.extend(observe::left_elsewhere(&apply.state, arn));
    apply.warnings.push(warning);
    Ok(())
}

/// Changes a password that RDS is to manage.
async fn update_managed(
    context: &Context,
    apply: &mut Apply<MasterCredential>,
    prior: &MasterCredential,
    arn: &Arn,
    reason: Reason,
    end: Deadline,
) -> Result<(), Reports> {
    if reason == Reason::Schedule {
        managed::check_key(context, apply).await?;
        return match (apply.planned.managed_schedule(), apply.planned.secret_ref.get()) {
            (Some(wanted), Some(secret_ref)) => managed::set_schedule(context, secret_ref, wanted).await,
            _ => Ok(()),
        };
    }
    let want = match reason {
        Reason::Rotation(_) => Want::Another,
        Reason::Repair if plan::is_refused(prior) => Want::Working,
        _ => Want::Managed,
    };
    managed::ensure(context, arn, apply, want, end).await?;
    if reason == Reason::Switch {
        // The password in it is history: RDS has replaced it.
        leave_secret(context, apply, prior, arn).await;
    }
    Ok(())
}

/// Schedules the deletion of the secret of before when it is not the present one.
async fn leave_secret(context: &Context, apply: &mut Apply<MasterCredential>, prior: &MasterCredential, arn: &Arn) {
    let (old, new) = (prior.secret_ref.get(), apply.state.secret_ref.get());
    let left = leave_old_place(context, prior.store_settings().as_ref(), arn, old, new).await;
    apply.warnings.extend(left);
}

fn target_arn(model: &MasterCredential) -> Result<Arn, Reports> {
    model.target_arn.get().cloned().ok_or_else(|| {
        let detail =
            "`target_arn` is missing in the state of this master credential. Remove it from state and import it.";
        Report::error("Incomplete state", detail).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Call, Fault};
    use crate::context::Clock;

    #[test]
    fn a_database_that_cannot_be_asked_keeps_its_password_in_the_state_unless_its_account_goes() {
        let context = Context::with_clock(Clock::default());
        let arn: Arn = "arn:aws:rds:eu-west-1:210987654321:db:ledger".parse().unwrap();
        let left = |fault| {
            let mut apply = Apply {
                config: MasterCredential::default(),
                prior: None,
                planned: MasterCredential::default(),
                state: MasterCredential { target_arn: arn.clone().into(), ..MasterCredential::default() },
                saved: false,
                private: crate::schema::Private::default(),
                warnings: Vec::new(),
                stop: tokio_util::sync::CancellationToken::new(),
            };
            let error = crate::aws::Error::new(Call::new("rds:DescribeDBInstances"), fault);
            leave(&context, &mut apply, &arn, error.into()).map(|()| apply.warnings)
        };
        let text = || "no".to_owned();
        for fault in [
            Fault::Throttled(text()),
            Fault::Unreachable(text()),
            Fault::NoCredentials(text()),
            Fault::CredentialsRefused(text()),
            Fault::AccessDenied(text()),
        ] {
            let words = fault.to_string();
            assert!(left(fault).unwrap_err().0[0].detail.contains(&words), "{words}");
        }
        let warnings = left(Fault::AccountLeaving { state: "CLOSED".to_owned(), text: text() }).unwrap();
        assert_eq!(warnings.last().unwrap().summary, "Left to go with its account");
    }
}
