//! What an apply writes into the state, and what it keeps of the plan's promise.

use crate::access::{Gap, Target};
use crate::engine::{Observed, Ownership, Removal, RemovalAction};
use crate::report::{Reach, Report, Severity};
use crate::schema::{Apply, Attr, Reports};

use super::bench::Bench;
use super::error::Error;
use super::model::{Role, Rotation, Strategy};
use super::{home, spec};

/// Writes what AWS says of the database into the state.
pub(super) fn describe(state: &mut Role, target: &Target) {
    state.endpoint = target.endpoint.as_ref().map(|e| e.host.clone()).into();
    state.port = target.endpoint.as_ref().map(|e| i64::from(e.port)).into();
    state.engine = target.engine.into();
    state.target_resource_id = target.resource_id.clone().into();
}

/// Writes what the server showed into the state.
pub(super) fn show(state: &mut Role, prior: &Role, bench: &Bench, observed: &Observed) {
    state.username = bench.username().to_string().into();
    state.default_database = home::of(prior, bench.target.engine, observed).into();
    state.coverage = match observed.ownership {
        Ownership::Absent => spec::missing(observed),
        _ => spec::coverage(observed),
    }
    .into();
    state.uncovered = observed.uncovered.texts().into();
}

/// Keeps what an update has reached of the credential, whatever fails after it: a password that is promoted is in use,
/// and another one for the same reason would end it. All else stays as it was, so that the next plan still sees it.
pub(super) fn reached(apply: &mut Apply<Role>, prior: &Role) {
    apply.state = partly(prior, &apply.planned, &apply.state);
    apply.saved = true;
}

fn partly(prior: &Role, planned: &Role, state: &Role) -> Role {
    let mut kept = with_credential(prior.clone(), state);
    kept.auth = planned.auth.clone();
    kept.store = planned.store.clone();
    kept.password_wo_version = planned.password_wo_version.clone();
    kept.rotation = planned.rotation.clone();
    // A second login that may be there must not be forgotten before it is taken away.
    let strategy = if planned.strategy() == Strategy::TwoUsers { planned } else { prior };
    if let Some(strategy) = strategy.rotation.get().map(|rotation| rotation.strategy.clone()) {
        let rotation = planned.rotation.get().cloned().unwrap_or_default();
        kept.rotation = Rotation { strategy, ..rotation }.into();
    }
    kept
}

/// Goes on from [`reached`] to all that was planned.
pub(super) fn whole(apply: &mut Apply<Role>) {
    apply.state = with_credential(apply.planned.clone(), &apply.state);
}

/// A role with the credential of another state.
fn with_credential(role: Role, of: &Role) -> Role {
    Role {
        secret_ref: of.secret_ref.clone(),
        secret_version: of.secret_version.clone(),
        username: of.username.clone(),
        rotated_at: of.rotated_at.clone(),
        rotation_due_at: of.rotation_due_at.clone(),
        credential: of.credential.clone(),
        ..role
    }
}

/// Ends a create or update: what was promised is kept, or the call fails with what is there.
pub(super) fn finish(apply: &mut Apply<Role>, bench: &Bench, observed: &Observed) -> Result<(), Reports> {
    let promised = apply.planned.clone();
    let found = spec::coverage(observed);
    describe(&mut apply.state, &bench.target);
    show(&mut apply.state, &apply.prior.clone().unwrap_or_default(), bench, observed);
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
    use std::collections::{BTreeMap, BTreeSet};

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
            covered: BTreeSet::new(),
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

    fn role(strategy: Option<&str>, round: &str, version: &str) -> Role {
        let rotation = strategy.map(|strategy| Rotation {
            keepers: BTreeMap::from([("round".to_owned(), round.to_owned())]).into(),
            strategy: strategy.to_owned().into(),
            ..Rotation::default()
        });
        Role {
            access: Access::ReadOnly.into(),
            auth: Auth::Password.into(),
            rotation: rotation.into(),
            secret_version: version.to_owned().into(),
            ..Role::default()
        }
    }

    #[test]
    fn what_is_reached_of_a_credential_is_kept_and_nothing_else() {
        let prior = role(Some("two_users"), "1", "v1");
        let planned = Role { access: Access::Ddl.into(), ..role(Some("single"), "2", "") };
        let state = Role { secret_version: "v2".to_owned().into(), ..planned.clone() };
        let kept = partly(&prior, &planned, &state);
        assert_eq!((&kept.access, &kept.secret_version), (&prior.access, &state.secret_version));
        assert_eq!(kept.schedule().keepers, planned.schedule().keepers, "the same rotation is not wanted again");
        assert_eq!(kept.strategy(), Strategy::TwoUsers, "the second login may still be there");
        assert_eq!(with_credential(planned.clone(), &kept), state, "and all of it is whole again at the end");

        let bare = partly(&prior, &role(None, "", ""), &state);
        assert_eq!((bare.strategy(), bare.schedule().keepers), (Strategy::TwoUsers, Attr::Null));
        let two = partly(&role(None, "", "v1"), &role(Some("two_users"), "1", ""), &state);
        assert_eq!(two.strategy(), Strategy::TwoUsers, "the second login may have been made");
        let given = Role { password_wo_version: "2".to_owned().into(), store: Attr::Unknown, ..role(None, "", "") };
        let kept = partly(&role(None, "", "v1"), &given, &state);
        assert_eq!(
            (kept.password_wo_version, kept.store),
            (given.password_wo_version, Attr::Unknown),
            "set, and there"
        );
        let iam = Role { auth: Auth::Iam.into(), ..role(None, "", "") };
        assert_eq!(partly(&role(None, "", "v1"), &iam, &iam).auth, iam.auth);
    }
}
