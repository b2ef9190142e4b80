//! Reading and ensuring a role: the only place besides `drop` that changes a server.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Mysql;
use super::catalog::Catalog;
use super::error::{Failure, IAM_IS_OFF};
use super::named::Named;
use super::plan::plan;
use super::quote::Statement;
use super::roles::{account_name, compare, ownership};
use super::terms::{is_iam, judge};
use crate::access::{Auth, DatabaseName, RoleName, Secret, TlsMode};
use crate::engine::retry::{Class, Retry};
use crate::engine::{Fault, Observed, RoleSpec};

impl Mysql {
    /// A trivial query.
    pub(super) async fn ping_server(&self) -> Result<(), Failure> {
        let mut session = self.sessions.session().await?;
        session.run(&Statement::new("asking for a trivial answer", "SELECT 1")).await?;
        session.rest();
        Ok(())
    }

    /// What the role is, from the shared catalog.
    pub(super) async fn read_role(&self, spec: &RoleSpec) -> Result<Observed, Failure> {
        let catalog = self.catalog().await?;
        if !spec.grants.iter().any(|grant| grant.objects.is_some()) {
            return Ok(self.observe(&catalog, spec));
        }
        let mut session = self.sessions.session().await?;
        let named = Named::load(&mut session, &catalog.settings, spec).await?;
        session.rest();
        Ok(self.observe(&Catalog { named, ..(*catalog).clone() }, spec))
    }

    /// Whether the password is that of the account.
    pub(super) async fn accepts_password(&self, spec: &RoleSpec, password: &Secret<String>) -> Result<bool, Failure> {
        match self.catalog().await {
            Ok(catalog) => {
                let Some(account) = catalog.account(&account_name(spec)) else { return Ok(false) };
                match judge(account, password) {
                    Some(verdict) => Ok(verdict),
                    None => self.try_login(&spec.name, password).await,
                }
            }
            Err(failure) if failure.class == Class::Denied => self.try_login(&spec.name, password).await,
            Err(failure) => Err(failure),
        }
    }

    /// Whether a login with this password works, and by the account's own password: an older one that is kept beside it
    /// logs in as well, and ends with the next change.
    pub(super) async fn proves_password(&self, spec: &RoleSpec, password: &Secret<String>) -> Result<bool, Failure> {
        if !self.try_login(&spec.name, password).await? {
            return Ok(false);
        }
        match self.catalog().await {
            Ok(catalog) => {
                let account = catalog.account(&account_name(spec));
                Ok(account.and_then(|account| judge(account, password)) != Some(false))
            }
            // Without a look at the hashes the login is all there is.
            Err(failure) if failure.class == Class::Denied => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    /// Whether one login with this name and password works.
    async fn try_login(&self, user: &RoleName, password: &Secret<String>) -> Result<bool, Failure> {
        match self.sessions.can_log_in(user, password).await {
            Ok(()) => Ok(true),
            Err(failure) if failure.class == Class::Login => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Makes the role what it should be, under the writer's lock, as often as the retry list allows.
    pub(super) async fn ensure_role(
        &self,
        spec: &RoleSpec,
        password: Option<&Secret<String>>,
    ) -> Result<Observed, Failure> {
        let _writer = self.sessions.writer().await;
        let mut retry = Retry::new(self.patience);
        loop {
            match self.ensure_once(spec, password).await {
                Ok(observed) => return Ok(observed),
                Err(failure) => self.again(&mut retry, failure).await?,
            }
        }
    }

    async fn ensure_once(&self, spec: &RoleSpec, password: Option<&Secret<String>>) -> Result<Observed, Failure> {
        let mut session = self.locked_session().await?;
        let mut catalog = Catalog::load_for(&mut session, spec).await?;
        let plan = plan(&catalog, spec, password, self.demands_tls())?;
        if !plan.statements.is_empty() {
            let writing = self.catalog.writing();
            session.batch(&plan.statements).await.map_err(|failure| without_iam(failure, &catalog, spec))?;
            drop(writing);
            catalog = Catalog::load_for(&mut session, spec).await?;
        }
        self.unlock(session).await?;
        let mut observed = self.observe(&catalog, spec);
        observed.notes.extend(plan.note);
        Ok(observed)
    }

    /// The shared catalog, read again when something was written since.
    async fn catalog(&self) -> Result<Arc<Catalog>, Failure> {
        self.catalog.get_or_read(self.load_patiently()).await
    }

    async fn load_patiently(&self) -> Result<Catalog, Failure> {
        let mut retry = Retry::new(self.patience);
        loop {
            match self.load().await {
                Err(failure) => retry.after(failure.class, failure).await?,
                done => return done,
            }
        }
    }

    async fn load(&self) -> Result<Catalog, Failure> {
        let mut session = self.sessions.session().await?;
        let catalog = Catalog::load(&mut session).await?;
        session.rest();
        Ok(catalog)
    }

    /// Whether accounts must refuse logins without TLS: unless our own sessions go without.
    pub(super) fn demands_tls(&self) -> bool {
        self.login.trust.mode != TlsMode::Disable
    }

    fn observe(&self, catalog: &Catalog, spec: &RoleSpec) -> Observed {
        let comparison = compare(catalog, spec, self.demands_tls());
        let covered: BTreeSet<String> = comparison.coverage.databases.keys().cloned().collect();
        let is_iam = catalog.account(&account_name(spec)).is_some_and(is_iam);
        Observed {
            ownership: ownership(catalog, spec),
            auth: if is_iam { Auth::Iam } else { Auth::Password },
            notes: Vec::new(),
            access: comparison.access(),
            default_database: covered.first().and_then(|name| name.parse::<DatabaseName>().ok()),
            covered,
            login: comparison.login,
            coverage: comparison.coverage,
            uncovered: comparison.uncovered,
        }
    }
}

/// MariaDB says only that ALTER USER failed when the plugin for tokens is not loaded.
fn without_iam(failure: Failure, catalog: &Catalog, spec: &RoleSpec) -> Failure {
    let off = catalog.dialect.mariadb && spec.terms.auth == Auth::Iam && !catalog.settings.iam_loaded;
    if off && failure.code == 1396 { Failure::last(Fault::Unsupported(IAM_IS_OFF.to_owned())) } else { failure }
}
