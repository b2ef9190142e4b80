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

/// Who makes and changes the roles of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Administrator {
    /// Whoever can be found: the secret that RDS manages, or else the proven secret of the master user at the
    /// provider's default place
    Found,
    /// The user in this secret, and no other
    Secret(SecretRef),
    /// A user that logs in with tokens of IAM authentication, the master user when `None`
    Iam(Option<RoleName>),
}

impl Administrator {
    /// The administrator's secret, where it is known without looking for it.
    pub fn secret<'a>(&'a self, target: &'a Target) -> Option<&'a SecretRef> {
        match self {
            Self::Secret(secret_ref) => Some(secret_ref),
            Self::Found => target.managed_secret.as_ref(),
            Self::Iam(_) => None,
        }
    }
}

impl Context {
    /// The database, entered as its administrator.
    ///
    /// # Errors
    /// No credential, or one that cannot be read or is refused.
    pub async fn admin(&self, target: &Target, who: &Administrator) -> Result<Arc<dyn Server>, Reports> {
        match who {
            Administrator::Secret(secret_ref) => self.enter(target, secret_ref).await,
            Administrator::Found => match &target.managed_secret {
                Some(secret_ref) => self.enter(target, secret_ref).await,
                None => self.enter(target, &self.default_admin(target).await?).await,
            },
            Administrator::Iam(Some(username)) => self.enter_with_tokens(target, username).await,
            Administrator::Iam(None) => {
                let master = target.master_username.parse().map_err(|_| no_admin(target))?;
                self.enter_with_tokens(target, &master).await
            }
        }
    }

    async fn default_admin(&self, target: &Target) -> Result<SecretRef, Reports> {
        Ok(self.default_master_secret(target).await?.ok_or_else(|| no_admin(target))?)
    }

    /// The proven secret of the master user at the default place; `None` where there is none.
    pub(super) async fn default_master_secret(&self, target: &Target) -> Result<Option<SecretRef>, Reports> {
        let Ok(username) = target.master_username.parse::<RoleName>() else { return Ok(None) };
        let place = Place::user(target.arn.clone(), username);
        let held = self.store(None, &target.arn)?.find(&place).await?;
        // A restored database has another resource id under the same ARN; the login decides whether the secret fits.
        let usable = held.filter(|held| !held.deleted && held.proven.is_some() && held.target.is_some());
        Ok(usable.map(|held| held.secret_ref))
    }
}

fn no_admin(target: &Target) -> NoAdmin {
    NoAdmin { arn: target.arn.clone(), master: target.master_username.clone() }
}
