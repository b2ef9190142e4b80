//! What an apply writes into the state, and what it keeps of the plan's promise.

use crate::access::{EngineKind, Gap, Identifier, Target};
use crate::engine::{Observed, Ownership, Removal, RemovalAction};
use crate::report::{Reach, Report, Severity};
use crate::schema::{Apply, Attr, Reports};

use super::bench::Bench;
use super::error::Error;
use super::model::Role;
use super::spec;

/// Writes what AWS says of the database into the state.
pub(super) fn describe(state: &mut Role, target: &Target) {
    state.endpoint = target.endpoint.as_ref().map(|e| e.host.clone()).into();
    state.port = target.endpoint.as_ref().map(|e| i64::from(e.port)).into();
    state.engine = target.engine.into();
    state.target_resource_id = target.resource_id.clone().into();
}

/// Writes what the server showed into the state.
pub(super) fn show(state: &mut Role, bench: &Bench, observed: &Observed) {
    let kind = bench.target.engine;
    state.username = bench.username().to_string().into();
    state.default_database = Some(default_database(kind, observed)).filter(|name| !name.is_empty()).into();
    state.coverage = match observed.ownership {
        Ownership::Absent => spec::missing(observed),
        _ => spec::coverage(observed),
    }
    .into();
    state.uncovered = observed.uncovered.texts().into();
}

/// The database that a client should connect to first. MySQL and MariaDB clients can do without.
fn default_database(kind: EngineKind, observed: &Observed) -> String {
    match (&observed.default_database, kind) {
        (Some(name), _) => name.as_str().to_owned(),
        (None, EngineKind::Postgres) => "postgres".to_owned(),
        (None, _) => String::new(),
    }
}

/// Ends a create or update: what was promised is kept, or the call fails with what is there.
pub(super) fn finish(apply: &mut Apply<Role>, bench: &Bench, observed: &Observed) -> Result<(), Reports> {
    let promised = apply.planned.clone();
    let found = spec::coverage(observed);
    describe(&mut apply.state, &bench.target);
    show(&mut apply.state, bench, observed);
    keep_known(&mut apply.state, &promised);
    for (database, text) in observed.uncovered.texts() {
        let summary = "Part of the database is out of reach";
        let detail = format!("{}, database `{database}`, role `{}`: {text}.", bench.target.arn, bench.spec.name);
        apply.warnings.push(Report::warning(summary, detail));
    }
    let expected = promised.coverage.get().cloned().unwrap_or_else(|| spec::completed(&found));
    match spec::keep_promise(&expected, &found) {
        Ok(kept) => {
            apply.state.coverage = kept.into();
            Ok(())
        }
        Err(gaps) => {
            apply.state.coverage = found.into();
            apply.saved = true;
            let (arn, name) = (bench.target.arn.clone(), bench.spec.name.to_string());
            Err(Error::Broken { arn, name, gaps }.into())
        }
    }
}

/// A known result of the plan must come back as it was; the next refresh brings it up to date.
fn keep_known(state: &mut Role, promised: &Role) {
    fn keep<T: Clone>(state: &mut Attr<T>, promised: &Attr<T>) {
        if !promised.is_unknown() {
            *state = promised.clone();
        }
    }
    keep(&mut state.endpoint, &promised.endpoint);
    keep(&mut state.port, &promised.port);
    keep(&mut state.engine, &promised.engine);
    keep(&mut state.default_database, &promised.default_database);
    keep(&mut state.uncovered, &promised.uncovered);
    keep(&mut state.username, &promised.username);
    keep(&mut state.target_resource_id, &promised.target_resource_id);
}

/// Whether the errors say that an administrator's credential does not work: its own resource has to repair that, and
/// needs a plan to do so.
pub(super) fn is_refused(reports: &Reports) -> bool {
    let mut errors = reports.0.iter().filter(|report| report.severity == Severity::Error).peekable();
    errors.peek().is_some() && errors.all(|report| report.reach == Reach::Refused)
}

/// Writes the names that the role has for ever into the state.
pub(super) fn name(state: &mut Role, bench: &Bench) {
    state.name = bench.spec.name.clone().into();
    if state.host.is_unknown() {
        let host = bench.spec.host.clone();
        state.host = Some(host).filter(|_| spec::has_hosts(bench.target.engine)).into();
    }
}

/// How destroy takes the role away; `None` keeps it.
pub(super) fn removal(state: &Role) -> Option<Removal> {
    let action = match state.on_destroy.get().map(String::as_str) {
        Some("retain") => return None,
        Some("disable") => RemovalAction::Disable,
        _ => RemovalAction::Drop,
    };
    Some(Removal {
        action,
        end_sessions: state.end_sessions.get().map(String::as_str) != Some("never"),
        reassign_owned_to: state.reassign_owned_to.get().cloned(),
    })
}

/// Whether an update takes rights away from the role or from whoever logs in as it: by what is written, or by what
/// somebody added by hand and is taken back.
pub(super) fn takes_away(prior: &Role, planned: &Role, before: &Observed) -> bool {
    let mut gaps = before.login.iter().chain(before.coverage.databases.values().flatten());
    spec::shrinks(prior, planned) || prior.auth != planned.auth || gaps.any(|gap| gap.gap == Gap::Exceeds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Access, Auth, Coverage, Missing};

    fn takes(login: Vec<Missing>, in_app: Vec<Missing>) -> bool {
        let before = Observed {
            ownership: Ownership::Ours,
            auth: Auth::Password,
            login,
            coverage: Coverage { databases: [("app".to_owned(), in_app)].into() },
            uncovered: Coverage::default(),
            access: Access::ReadOnly,
            default_database: None,
            notes: Vec::new(),
        };
        takes_away(&Role::default(), &Role::default(), &before)
    }

    #[test]
    fn sessions_end_when_something_is_taken_whatever_its_name_is() {
        assert!(!takes(vec![], vec![]));
        assert!(!takes(vec![Missing::lacking("login is locked")], vec![Missing::lacking("missing SELECT")]));
        assert!(!takes(vec![Missing::of_terms("connection limit is 2 instead of 5")], vec![]));
        let named = Missing { names: vec!["missing".to_owned()], ..Missing::plain("holds INSERT on missing_parts") };
        assert!(takes(vec![], vec![named]));
        assert!(takes(vec![Missing::plain("is a member of the_missing_ones")], vec![]));
    }
}
