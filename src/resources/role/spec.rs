//! From what is written to what the engine should make, and from what the engine saw to what state shows: pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{
    Access, COMPLETE, Coverage, EngineKind, Grant, HostPattern, Identifier, Invalid, Mark, Missing, RoleName, Target,
};
use crate::engine::{Observed, RoleSpec, Scope, Terms};
use crate::report::Report;
use crate::schema::Attr;

use super::model::{Role, Strategy};

/// The key of `coverage` that stands for the login itself where the server has no database to cover.
pub(super) const NO_DATABASE: &str = "*";

/// What an import says of a role that it could not look at.
pub(super) const UNREAD: &str = "not read: no administrator is known yet";

/// The default name of a level.
pub(super) fn default_name(access: Access) -> Result<RoleName, Invalid> {
    format!("hoop_{}", access.suffix()).parse()
}

/// The default host part.
pub(super) fn default_host() -> Result<HostPattern, Invalid> {
    "%".parse()
}

/// Whether accounts of the engine have a host part.
pub(super) fn has_hosts(kind: EngineKind) -> bool {
    matches!(kind, EngineKind::Mysql | EngineKind::Mariadb)
}

/// The databases that `databases` and `grants` name and the server does not show as covered, each with the reason.
pub(super) fn missing_databases(role: &Role, observed: &Observed) -> Vec<String> {
    let reasons = observed.uncovered.texts();
    let granted = role.grants.get().into_iter().flatten().filter_map(|grant| grant.database.get());
    let named: BTreeSet<&str> =
        role.databases.get().into_iter().flatten().chain(granted).map(|database| database.as_str()).collect();
    named
        .into_iter()
        .filter(|name| !observed.coverage.databases.contains_key(*name))
        .map(|name| match reasons.get(name) {
            Some(reason) => format!("{name}: {reason}"),
            None => format!("{name}: there is no such database"),
        })
        .collect()
}

/// What the engine should make.
pub(super) fn spec(role: &Role, target: &Target, adopt: bool) -> Result<RoleSpec, Report> {
    let access = role.access.get().copied().unwrap_or(Access::ReadOnly);
    let name = match role.name.get() {
        Some(name) => name.clone(),
        None => default_name(access).map_err(plain)?,
    };
    let host = match role.host.get() {
        Some(host) => host.clone(),
        None => default_host().map_err(plain)?,
    };
    let purpose = format!("{access} for {}", target.arn);
    Ok(RoleSpec {
        name,
        host,
        access,
        scope: Scope {
            databases: role.databases.get().cloned(),
            schemas: role.schemas.get().cloned(),
            owners: role.owners.get().cloned(),
        },
        grants: role.known_grants(),
        terms: Terms {
            auth: role.auth.get().copied().unwrap_or_default(),
            valid_until: role.valid_until.get().copied(),
            connection_limit: role.connection_limit.get().and_then(|limit| u32::try_from(*limit).ok()),
            keeps_old_password: role.strategy() == Strategy::DualPassword,
        },
        mark: Mark::new(&target.resource_id, Some(purpose)),
        adopt,
        known: false,
    })
}

fn plain(invalid: Invalid) -> Report {
    Report::error("Invalid name", invalid.0)
}

/// The `coverage` of state: gaps of the login stand under every database.
pub(super) fn coverage(observed: &Observed) -> BTreeMap<String, String> {
    let mut all: Coverage = observed.coverage.clone();
    for gaps in all.databases.values_mut() {
        gaps.extend(observed.login.iter().cloned());
    }
    if all.databases.is_empty() && !observed.login.is_empty() {
        all.databases.insert(NO_DATABASE.to_owned(), observed.login.clone());
    }
    all.texts()
}

/// The `coverage` of a role that is not there.
pub(super) fn missing(observed: &Observed) -> BTreeMap<String, String> {
    let gap = || vec![Missing::lacking("role is missing")];
    let mut all =
        Coverage { databases: observed.coverage.databases.keys().map(|name| (name.clone(), gap())).collect() };
    if all.databases.is_empty() {
        all.databases.insert(NO_DATABASE.to_owned(), gap());
    }
    all.texts()
}

/// What a plan promises: the same databases, all complete.
pub(super) fn completed(coverage: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    coverage.keys().map(|name| (name.clone(), COMPLETE.to_owned())).collect()
}

/// Whether nothing is missing.
pub(super) fn is_complete(coverage: &Attr<BTreeMap<String, String>>) -> bool {
    coverage.get().is_some_and(|texts| texts.values().all(|text| text == COMPLETE))
}

/// Whether no look into the database has shown yet what the role covers.
pub(super) fn is_unread(coverage: &Attr<BTreeMap<String, String>>) -> bool {
    coverage.get().is_none_or(|texts| texts.get(NO_DATABASE).is_some_and(|text| text == UNREAD))
}

/// What is really there against what the plan promised, on exactly the promised keys.
///
/// # Errors
/// The promised keys that are not complete.
pub(super) fn keep_promise(
    promised: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Vec<String>> {
    let broken: Vec<String> = promised
        .keys()
        .filter_map(|name| match found.get(name).map(String::as_str) {
            Some(COMPLETE) => None,
            Some(text) => Some(format!("{name}: {text}")),
            // A database dropped since the plan has nothing to cover any more; the next plan leaves it out.
            None => None,
        })
        .collect();
    if broken.is_empty() { Ok(promised.clone()) } else { Err(broken) }
}

/// Whether less is written than before: a lower level, fewer databases, schemas, owners or grants.
pub(super) fn shrinks(prior: &Role, planned: &Role) -> bool {
    planned.access.get() < prior.access.get()
        || is_narrower(prior.databases.get(), planned.databases.get())
        || is_narrower(prior.schemas.get(), planned.schemas.get())
        || loses(prior.owners.get(), planned.owners.get())
        || prior.known_grants().iter().any(|before| !holds(&planned.known_grants(), before))
}

/// Of two choices where none means all.
fn is_narrower<T: Ord>(prior: Option<&BTreeSet<T>>, planned: Option<&BTreeSet<T>>) -> bool {
    match (prior, planned) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(prior), Some(planned)) => !prior.is_subset(planned),
    }
}

/// Of two choices where none means none.
fn loses<T: Ord>(prior: Option<&BTreeSet<T>>, planned: Option<&BTreeSet<T>>) -> bool {
    prior.into_iter().flatten().any(|before| planned.is_none_or(|planned| !planned.contains(before)))
}

/// Whether one of the grants holds all of another.
fn holds(grants: &BTreeSet<Grant>, wanted: &Grant) -> bool {
    grants.iter().any(|grant| {
        (&grant.database, &grant.schema, grant.kind) == (&wanted.database, &wanted.schema, wanted.kind)
            && !is_narrower(wanted.objects.as_ref(), grant.objects.as_ref())
            && wanted.privileges.is_subset(&grant.privileges)
    })
}

#[cfg(test)]
mod tests {
    use super::super::model::GrantBlock;
    use super::*;
    use crate::access::{Auth, DatabaseName, ObjectKind};
    use crate::engine::Ownership;

    fn observed(databases: &[(&str, Vec<Missing>)], login: Vec<Missing>) -> Observed {
        Observed {
            ownership: Ownership::Ours,
            auth: Auth::Password,
            notes: Vec::new(),
            login,
            coverage: Coverage { databases: databases.iter().map(|(n, g)| ((*n).to_owned(), g.clone())).collect() },
            uncovered: Coverage::default(),
            access: Access::ReadOnly,
            covered: BTreeSet::new(),
            default_database: None,
        }
    }

    #[test]
    fn gaps_of_the_login_stand_under_every_database() {
        let texts = coverage(&observed(&[("a", vec![]), ("b", vec![])], vec![Missing::plain("login is disabled")]));
        assert_eq!(texts["a"], "login is disabled");
        assert_eq!(texts["b"], "login is disabled");
        let texts = coverage(&observed(&[], vec![Missing::plain("login is disabled")]));
        assert_eq!(texts["*"], "login is disabled");
        assert!(coverage(&observed(&[], vec![])).is_empty());
    }

    #[test]
    fn a_missing_role_is_said_under_every_database() {
        assert_eq!(missing(&observed(&[("a", vec![])], vec![]))["a"], "role is missing");
        assert_eq!(missing(&observed(&[], vec![]))["*"], "role is missing");
    }

    #[test]
    fn a_role_that_was_never_looked_at_is_told_from_one_that_is_missing() {
        let texts = |name: &str, text: &str| Attr::from(BTreeMap::from([(name.to_owned(), text.to_owned())]));
        assert!(is_unread(&texts(NO_DATABASE, UNREAD)) && is_unread(&Attr::Null));
        for (name, text) in [(NO_DATABASE, "role is missing"), ("a", "role is missing"), ("a", COMPLETE)] {
            assert!(!is_unread(&texts(name, text)), "{name}: {text}");
        }
    }

    #[test]
    fn a_promise_is_kept_on_exactly_its_keys() {
        let promised = BTreeMap::from([("a".to_owned(), COMPLETE.to_owned())]);
        let mut found = promised.clone();
        found.insert("new".to_owned(), "missing SELECT".to_owned());
        assert_eq!(keep_promise(&promised, &found), Ok(promised.clone()));
        found.insert("a".to_owned(), "missing SELECT".to_owned());
        assert_eq!(keep_promise(&promised, &found), Err(vec!["a: missing SELECT".to_owned()]));
    }

    #[test]
    fn what_grants_name_must_be_covered_too() {
        let grant = GrantBlock { database: "gone".parse::<DatabaseName>().unwrap().into(), ..GrantBlock::default() };
        let role = Role { grants: BTreeSet::from([grant]).into(), ..Role::default() };
        assert_eq!(missing_databases(&role, &observed(&[("a", vec![])], vec![])), ["gone: there is no such database"]);
        assert!(missing_databases(&role, &observed(&[("gone", vec![])], vec![])).is_empty());
    }

    fn grants(objects: Option<&[&str]>, privileges: &[&str]) -> Role {
        let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<BTreeSet<_>>();
        let block = GrantBlock {
            database: "app".parse::<DatabaseName>().unwrap().into(),
            schema: Attr::Null,
            object_type: ObjectKind::Function.into(),
            objects: objects.map(|names| names.iter().map(|name| name.parse().unwrap()).collect()).into(),
            privileges: parsed(privileges).into(),
        };
        Role { grants: BTreeSet::from([block]).into(), access: Access::ReadWrite.into(), ..Role::default() }
    }

    #[test]
    fn less_than_before_is_told_from_more() {
        let databases = |names: &[&str]| Role {
            databases: names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<DatabaseName>>().into(),
            access: Access::ReadWrite.into(),
            ..Role::default()
        };
        let everything = Role { access: Access::ReadWrite.into(), ..Role::default() };
        let reader = Role { access: Access::ReadOnly.into(), ..Role::default() };
        assert!(shrinks(&everything, &reader) && !shrinks(&reader, &everything));
        assert!(shrinks(&everything, &databases(&["a"])) && !shrinks(&databases(&["a"]), &everything));
        assert!(shrinks(&databases(&["a", "b"]), &databases(&["a", "c"])));
        assert!(!shrinks(&databases(&["a"]), &databases(&["a", "c"])));
        let (all, one) = (grants(None, &["EXECUTE"]), grants(Some(&["f"]), &["EXECUTE"]));
        assert!(shrinks(&all, &one) && !shrinks(&one, &all) && !shrinks(&all, &all));
        assert!(shrinks(&one, &everything) && !shrinks(&everything, &one));
        assert!(shrinks(&grants(None, &["EXECUTE", "ALTER"]), &all));
    }
}
