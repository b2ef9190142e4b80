//! Who makes and changes roles: the chain from the secret that is named to the one that can be found.

use std::sync::Arc;

use crate::access::{Arn, RoleName, SecretRef, Target};
use crate::engine::Server;
use crate::report::{Explain, Reach};
use crate::schema::Reports;
use crate::store::Place;
use crate::value::Path;

use super::Context;

/// No administrator's credential.
#[derive(Debug, thiserror::Error)]
#[error(
    "no credential of an administrator is known for {arn}: RDS manages no secret for it, and no proven secret of its master user `{master}` is at the default place"
)]
pub struct NoAdmin {
    arn: Arn,
    master: String,
}

impl Explain for NoAdmin {
    fn summary(&self) -> String {
        "No administrator for the database".to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some(
            "Set `admin = { secret_ref = rdsaccess_master_credential.<name>.secret_ref }`, or the ARN of a secret with \
             `username` and `password`"
                .to_owned(),
        )
    }

    fn reach(&self) -> Reach {
        Reach::Refused
    }

    fn attribute(&self) -> Option<Path> {
        Some(Path::attribute("admin"))
    }
}

impl Context {
    /// The database, entered with the administrator's credential: the named secret only, or else the secret that RDS
    /// manages, or else the proven secret of the master user at the provider's default place.
    ///
    /// # Errors
    /// No credential, or one that cannot be read.
    pub async fn admin(&self, target: &Target, named: Option<&SecretRef>) -> Result<Arc<dyn Server>, Reports> {
        let secret_ref = match named.or(target.managed_secret.as_ref()) {
            Some(secret_ref) => secret_ref.clone(),
            None => self.default_admin(target).await?,
        };
        self.enter(target, &secret_ref).await
    }

    async fn default_admin(&self, target: &Target) -> Result<SecretRef, Reports> {
        let missing = || NoAdmin { arn: target.arn.clone(), master: target.master_username.clone() };
        let username: RoleName = target.master_username.parse().map_err(|_| missing())?;
        let place = Place::user(target.arn.clone(), username);
        let held = self.store(None, &target.arn)?.find(&place).await?;
        // A restored database has another resource id under the same ARN; the login decides whether the secret fits.
        let usable = held.filter(|held| !held.deleted && held.proven.is_some() && held.target.is_some());
        Ok(usable.ok_or_else(missing)?.secret_ref)
    }
}
