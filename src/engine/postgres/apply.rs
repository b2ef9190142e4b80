//! Sending changes: one transaction per database, computed anew whenever another session came between.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use super::change::Step;
use super::error::{Failure, Remedy};
use super::lock::WriterLock;
use super::password;
use super::plan::{Plan, Survey};
use super::quote::{Sql, ident};
use super::reach::{Reach, Way};
use super::roles::set_password;
use super::server::Postgres;
use super::terms;
use crate::access::{Auth, Identifier, Secret};
use crate::engine::retry::pause;
use crate::engine::{Fault, Observed, Ownership, RoleSpec};

/// A conflict is reported when a change was computed and sent so often, and for so many times as one lock is waited
/// for: a foreign run of GRANTs may go on for longer than a few quick attempts take.
const ATTEMPTS: u32 = 8;
const LOCK_WAITS: u32 = 3;
/// So often a change is sent, and compared with what is there then: a second time when the first one brought to light
/// what was hidden before, and once more for what that brought.
const PASSES: u32 = 3;

/// How often one change was tried, and since when.
pub(super) struct Attempts {
    made: u32,
    since: Instant,
}

impl Attempts {
    /// The first one begins.
    pub(super) fn new() -> Self {
        Self { made: 1, since: Instant::now() }
    }

    fn are_used_up(&self, lock_wait: Duration) -> bool {
        self.made >= ATTEMPTS && self.since.elapsed() >= lock_wait * LOCK_WAITS
    }
}

impl Postgres {
    /// Makes the role what it should be, and returns what is there then.
    pub(super) async fn make(&self, spec: &RoleSpec, password: Option<&Secret<String>>) -> Result<Observed, Failure> {
        if password.is_some_and(|password| password.expose().is_empty()) {
            return Err(Fault::Unsupported("an empty password logs nobody in".to_owned()).into());
        }
        if password.is_some() && spec.terms.auth == Auth::Iam {
            return Err(Fault::Unsupported("a login by token has no password".to_owned()).into());
        }
        let mut lock = self.lock().await?;
        let observed = self.converge(spec, password, &mut lock).await?;
        lock.release().await;
        Ok(observed)
    }

    async fn converge(
        &self,
        spec: &RoleSpec,
        password: Option<&Secret<String>>,
        lock: &mut WriterLock<'_>,
    ) -> Result<Observed, Failure> {
        let mut attempts = Attempts::new();
        loop {
            match self.attempt(spec, password).await {
                Err(failure) => self.wait_to_retry(failure, &mut attempts, lock).await?,
                done => return done,
            }
        }
    }

    /// Waits before the next attempt, and makes sure that this is still the only writer; or gives the failure back when
    /// another attempt cannot help.
    pub(super) async fn wait_to_retry(
        &self,
        failure: Failure,
        attempts: &mut Attempts,
        lock: &mut WriterLock<'_>,
    ) -> Result<(), Failure> {
        if failure.remedy != Remedy::Retry || attempts.are_used_up(self.pool.lock_wait) {
            return Err(failure);
        }
        // After a failover the old sessions lead to a server that takes no writes.
        self.pool.close_idle();
        pause(attempts.made).await;
        attempts.made += 1;
        lock.renew(self.maintenance().await?).await
    }

    async fn attempt(&self, spec: &RoleSpec, password: Option<&Secret<String>>) -> Result<Observed, Failure> {
        self.forget();
        let survey = self.survey(spec).await?;
        let plan = Plan::new(&survey, spec);
        if let Ownership::Foreign(text) = plan.observed.ownership {
            return Err(Fault::Foreign(text).into());
        }
        if let Some(refusal) = plan.refusal {
            return Err(refusal.into());
        }
        let mut observed = match plan.is_empty() && password.is_none() {
            true => plan.observed,
            false => self.carry_out(spec, survey, plan, password).await?,
        };
        // A group that goes may have kept the login from losing what it had from there.
        for _round in 0..PASSES {
            if !self.tidy_quietly(spec).await {
                break;
            }
            let survey = self.survey(spec).await?;
            let plan = Plan::new(&survey, spec);
            let settled = plan.is_empty();
            observed = self.carry_out(spec, survey, plan, None).await?;
            if settled {
                break;
            }
        }
        Ok(observed)
    }

    /// Sends a plan, looks at what is there then, and sends what is left. Which rights follow from which, and who may
    /// take them back, can change with the first statements: the owner's membership that went, the last of two ways by
    /// which somebody held a right.
    async fn carry_out(
        &self,
        spec: &RoleSpec,
        mut survey: Survey,
        mut plan: Plan,
        mut password: Option<&Secret<String>>,
    ) -> Result<Observed, Failure> {
        let mut sent = None;
        for _pass in 0..PASSES {
            let left = plan.statements();
            if password.is_none() && (plan.is_empty() || sent.as_ref() == Some(&left)) {
                break;
            }
            let reach = Reach::new(&survey.cluster);
            let done = self.send(spec, &reach, plan, password.take()).await;
            self.forget();
            done.map_err(|failure| failure.with(|fault| terms::explain(fault, self.pool.login().username.as_str())))?;
            sent = Some(left);
            survey = self.survey(spec).await?;
            plan = Plan::new(&survey, spec);
        }
        Ok(plan.observed)
    }

    /// Sends a plan. A database that refuses does not keep the others from their changes.
    async fn send(
        &self,
        spec: &RoleSpec,
        reach: &Reach<'_>,
        plan: Plan,
        password: Option<&Secret<String>>,
    ) -> Result<(), Failure> {
        let password = password.map(|password| set_password(spec, &password::verifier(password)));
        let entry = if plan.changes_a_database() { String::new() } else { self.entry(spec).await? };
        let parts = plan.into_transactions(password, entry);
        self.send_parts(spec, reach, &parts).await
    }

    async fn send_parts(
        &self,
        spec: &RoleSpec,
        reach: &Reach<'_>,
        parts: &[(String, Vec<Step>)],
    ) -> Result<(), Failure> {
        let mut first_failure = None;
        for (n, (database, steps)) in parts.iter().enumerate() {
            let step = format!("giving {} to {} in database {database}", spec.access, spec.name);
            match self.transact(database, &transaction(reach, steps, None), &step).await {
                Ok(()) => {}
                // Without the login, or after a conflict, the rest was computed from something that is no longer so.
                Err(failure) if n == 0 || failure.remedy == Remedy::Retry => return Err(failure),
                Err(failure) => {
                    first_failure.get_or_insert(failure);
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Runs one transaction in one round trip, under the writer's lock. When it fails the session is dropped, and with
    /// it what was open; when a lock was in the way the error names who held it.
    pub(super) async fn transact(&self, database: &str, sql: &Sql, step: &str) -> Result<(), Failure> {
        let session = self.pool.session(database).await?;
        let mut holder = None;
        let done = {
            let running = session.change(self.writers.holder()?).run(sql, step);
            let watching = self.writers.watch(&self.pool, &mut holder);
            match select(pin!(running), pin!(watching)).await {
                Either::Left((done, _)) => done,
                Either::Right((never, _)) => match never {},
            }
        };
        done.map_err(|failure| failure.held_by(holder))?;
        session.keep();
        Ok(())
    }
}

/// The steps as one transaction. Roles that have to be borrowed are granted when they are first needed and given back
/// at the end; nobody else ever sees the membership. `farewell` runs after that: a role that goes cannot be given back.
pub(super) fn transaction(reach: &Reach<'_>, steps: &[Step], farewell: Option<Sql>) -> Sql {
    let mut out = vec![Sql::of("BEGIN", &[])];
    let mut returns = Vec::new();
    let mut borrowed = BTreeSet::new();
    let mut current: Option<&str> = None;
    for step in steps {
        let name = step.actor.name.as_str();
        let needs_set = matches!(step.actor.way, Way::Set | Way::Borrow { set: true });
        if current.is_some() && current != Some(name).filter(|_| needs_set) {
            out.push(Sql::of("RESET ROLE", &[]));
            current = None;
        }
        if matches!(step.actor.way, Way::Borrow { .. }) && borrowed.insert(name) {
            let (take, back) = reach.borrow(name);
            out.push(take);
            returns.push(back);
        }
        if needs_set && current.is_none() {
            out.push(Sql::of("SET LOCAL ROLE {}", &[ident(name)]));
            current = Some(name);
        }
        out.push(step.sql.clone());
    }
    if current.is_some() {
        out.push(Sql::of("RESET ROLE", &[]));
    }
    out.extend(returns.into_iter().rev());
    out.extend(farewell);
    out.push(Sql::of("COMMIT", &[]));
    Sql::batch(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::catalog::Cluster;
    use crate::engine::postgres::reach::Actor;

    fn cluster(version: u32) -> Cluster {
        let role = |oid: u32, name: &str, create_role: bool| {
            serde_json::json!({
                "oid": oid, "name": name, "superuser": false, "inherit": true, "create_role": create_role,
                "create_db": false, "login": true, "replication": false, "bypass_rls": false, "valid_until": null, "expired": false,
                "connection_limit": -1, "comment": null
            })
        };
        let stored = (version >= 160_000).then_some(false);
        let json = serde_json::json!({
            "version": version, "me": 1,
            "roles": [role(1, "admin", true), role(2, "owner", false), role(3, "other", false)],
            "memberships": [
                {"role": 2, "member": 1, "grantor": 10, "admin": true, "inherit": stored, "set": stored}
            ],
            "databases": null, "settings": null, "footprints": null
        });
        Cluster::parse(&json.to_string()).unwrap()
    }

    fn sent(version: u32, roles: &[u32]) -> String {
        let cluster = cluster(version);
        let reach = Reach::new(&cluster);
        let sql = Sql::of("SELECT 1", &[]);
        let steps: Vec<Step> =
            roles.iter().map(|oid| Step { actor: reach.actor(*oid, None), sql: sql.clone() }).collect();
        transaction(&reach, &steps, None).as_str().to_owned()
    }

    #[test]
    fn a_borrowed_role_is_taken_once_and_given_back() {
        assert_eq!(
            sent(160_004, &[2, 1, 2]),
            "BEGIN;\nGRANT \"owner\" TO \"admin\" WITH INHERIT TRUE, SET TRUE;\nSELECT 1;\nSELECT 1;\n\
             SELECT 1;\nREVOKE \"owner\" FROM \"admin\";\nCOMMIT"
        );
    }

    #[test]
    fn a_membership_that_was_there_before_is_never_taken_away() {
        assert_eq!(sent(150_018, &[2]), "BEGIN;\nSELECT 1;\nCOMMIT");
    }

    #[test]
    fn before_version_16_every_other_role_can_be_borrowed_and_since_then_only_with_admin() {
        assert!(sent(150_018, &[3]).contains("GRANT \"other\" TO \"admin\";\nSELECT 1;\nREVOKE \"other\" FROM"));
        let cluster = cluster(160_004);
        assert_eq!(Reach::new(&cluster).actor(3, None).way, Way::Never);
    }

    #[test]
    fn set_role_ends_before_somebody_else_acts() {
        let cluster = cluster(150_018);
        let reach = Reach::new(&cluster);
        let sql = || Sql::of("SELECT 1", &[]);
        let owner = reach.actor(2, None).in_person();
        let steps = [Step { actor: owner, sql: sql() }, Step { actor: Actor::me(), sql: sql() }];
        assert_eq!(
            transaction(&reach, &steps, None).as_str(),
            "BEGIN;\nSET LOCAL ROLE \"owner\";\nSELECT 1;\nRESET ROLE;\nSELECT 1;\nCOMMIT"
        );
    }
}
