//! `rdsaccess_secret`: a stored credential, read for one run.

mod model;

use crate::context::Context;
use crate::report::Report;
use crate::schema::{Ephemeral, Opening, Reports};

use model::SecretModel;

/// The ephemeral resource.
pub struct SecretValue;

impl Ephemeral for SecretValue {
    type Context = Context;
    type Model = SecretModel;

    const NAME: &'static str = "rdsaccess_secret";
    const SUBCATEGORY: &'static str = "Credentials";

    async fn open(&self, context: &Context, opening: &mut Opening<SecretModel>) -> Result<(), Reports> {
        let asked = &opening.result;
        let Some(secret_ref) = asked.secret_ref.get() else {
            return Err(Report::error("Incomplete secret", "`secret_ref` is needed.").into());
        };
        let stage = asked.version_stage.get().copied().unwrap_or_default();
        let read = context.read_version(secret_ref, stage).await?;
        let result = &mut opening.result;
        result.username = read.contents.username.into();
        result.password = read.contents.password.into();
        result.engine = read.contents.engine.into();
        result.host = read.contents.host.into();
        result.port = read.contents.port.map(i64::from).into();
        result.database = read.contents.database.into();
        result.version_id = read.id.map(|id| id.0).into();
        Ok(())
    }
}
