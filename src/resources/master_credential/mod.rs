//! `rdsaccess_master_credential`: the master password of a database, generated, stored, proven and rotated.

mod model;
mod observe;
mod plan;
mod steps;
mod wait;

use crate::access::Arn;
use crate::access::rotation::Goal;
use crate::context::{Context, Found, Takes, found};
use crate::report::Report;
use crate::schema::{Apply, Attr, Change, Reading, Reports, Resource};

use super::rotation::leave_old_place;
use model::{MasterCredential, MasterCredentialIdentity};
use plan::Reason;

/// The resource.
pub struct MasterCredentialResource;

impl Resource for MasterCredentialResource {
    type Context = Context;
    type Model = MasterCredential;
    type Identity = MasterCredentialIdentity;

    const NAME: &'static str = "rdsaccess_master_credential";
    const SUBCATEGORY: &'static str = "Credentials";
    const IMPORT_ID: &'static str = "`<target_arn>`";

    fn identity(state: &MasterCredential) -> MasterCredentialIdentity {
        MasterCredentialIdentity { target_arn: state.target_arn.clone() }
    }

    async fn plan(&self, context: &Context, change: &mut Change<MasterCredential>) -> Result<(), Reports> {
        plan::plan(context, change).await
    }

    async fn read(&self, context: &Context, reading: &mut Reading<MasterCredential>) -> Result<bool, Reports> {
        observe::read(context, reading).await
    }

    async fn create(&self, context: &Context, apply: &mut Apply<MasterCredential>) -> Result<(), Reports> {
        let adopt = apply.planned.adopt_secret_ref.get().cloned();
        let arn = target_arn(&apply.planned)?;
        let secured = steps::secure(context, &arn, &apply.planned, Goal::Ensure, adopt.as_ref()).await?;
        observe::made(context, apply, &secured).await
    }

    async fn update(&self, context: &Context, apply: &mut Apply<MasterCredential>) -> Result<(), Reports> {
        let prior = apply.prior.clone().unwrap_or_default();
        let goal = match plan::reason(&prior, &apply.planned, &apply.private) {
            None => return Ok(()),
            Some(Reason::Repair) => Goal::Ensure,
            Some(Reason::Rotation(_)) => Goal::Renew,
        };
        let arn = target_arn(&apply.planned)?;
        steps::check_place(context, &arn, &apply.planned).await?;
        let secured = steps::secure(context, &arn, &apply.planned, goal, None).await?;
        observe::made(context, apply, &secured).await?;
        let (old, new) = (prior.secret_ref.get(), apply.state.secret_ref.get());
        let left = leave_old_place(context, prior.store_settings().as_ref(), &arn, old, new).await;
        apply.warnings.extend(left);
        Ok(())
    }

    async fn delete(&self, context: &Context, apply: &mut Apply<MasterCredential>) -> Result<(), Reports> {
        let arn = target_arn(&apply.state)?;
        let described = context.aws()?.describe(&arn).await;
        if let Ok(described) = described
            && found(&arn, Takes::ReplicasToo, described) == Ok(Found::Gone)
        {
            if let Some(secret_ref) = apply.state.secret_ref.get() {
                let settings = apply.state.store_settings();
                context.store(settings.as_ref(), &arn)?.forget(secret_ref).await?;
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

fn target_arn(model: &MasterCredential) -> Result<Arn, Reports> {
    model.target_arn.get().cloned().ok_or_else(|| {
        let detail =
            "`target_arn` is missing in the state of this master credential. Remove it from state and import it.";
        Report::error("Incomplete state", detail).into()
    })
}
