//! From what is written to what the engine should make, and from what the engine saw to what state shows: pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::{
    Access, Arn, COMPLETE, Coverage, EngineKind, HostPattern, Identifier, Invalid, Mark, Missing, RoleName, Target,
};
use crate::engine::{self, Observed, RoleSpec, Scope, Terms};
use crate::report::Report;
use crate::schema::Attr;
use crate::value::Path;

use super::model::Role;

/// The key of `coverage` that stands for the login itself where the server has no database to cover.
pub(super) const NO_DATABASE: &str = "*";

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

/// The chosen databases that the server does not show as covered, each with the reason.
pub(super) fn missing_databases(role: &Role, observed: &Observed) -> Vec<String> {
    let reasons = observed.uncovered.texts();
    role.databases
        .get()
        .into_iter()
        .flatten()
        .map(|database| database.as_str())
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
        grants: BTreeSet::new(),
        terms: Terms::default(),
        mark: Mark::new(&target.resource_id, Some(purpose)),
        adopt,
    })
}

fn plain(invalid: Invalid) -> Report {
    Report::error("Invalid name", invalid.0)
}

/// Rules that need the target: the same at plan, where it is known, and at apply before the first change.
pub(super) fn check_target(role: &Role, target: &Target) -> Vec<Report> {
    let mut reports = check_engine(role, &target.arn, target.engine);
    let ignores_case = target.engine != EngineKind::Postgres;
    let is_master = role.name.get().is_some_and(|name| {
        name.as_str() == target.master_username
            || ignores_case && name.as_str().eq_ignore_ascii_case(&target.master_username)
    });
    if is_master {
        let detail = format!(
            "`{}` is the master user of {}: as a role it would lose its rights and its secret. Choose another name; \
             `rdsaccess_master_credential` takes care of the master user.",
            target.master_username, target.arn
        );
        reports.push(Report::error("The master user cannot be a role", detail).at(Path::attribute("name")));
    }
    reports
}

fn check_engine(role: &Role, arn: &Arn, kind: EngineKind) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut only = |attribute: &str, set: bool, engines: &[EngineKind]| {
        if set && !engines.contains(&kind) {
            let words: Vec<String> = engines.iter().map(|e| format!("`{e}`")).collect();
            let detail = format!(
                "`{attribute}` is for {} only, and {arn} is `{kind}`. Leave it out for this database.",
                words.join(" and ")
            );
            reports.push(
                Report::error(format!("`{attribute}` does not fit the engine"), detail).at(Path::attribute(attribute)),
            );
        }
    };
    only("schemas", role.schemas.is_known(), &[EngineKind::Postgres]);
    only("owners", role.owners.is_known(), &[EngineKind::Postgres]);
    only("host", role.host.is_known(), &[EngineKind::Mysql, EngineKind::Mariadb]);
    only("reassign_owned_to", role.reassign_owned_to.is_known(), &[EngineKind::Postgres]);
    if let Some(Err(invalid)) = role.name.get().map(|name| engine::check_role_name(kind, name)) {
        let detail = crate::report::sentence(&format!("{invalid} ({arn})"));
        reports.push(Report::error("The name does not fit the engine", detail).at(Path::attribute("name")));
    }
    reports
}

/// Rules that need no target.
pub(super) fn validate(config: &Role) -> Vec<Report> {
    let level = config.access.get().copied();
    match (config.owners.is_known(), level) {
        (true, Some(level)) if level != Access::Ddl => vec![
            Report::error(
                "`owners` needs `access = \"ddl\"`",
                format!("`{level}` never alters or drops objects. Leave `owners` out."),
            )
            .at(Path::attribute("owners")),
        ],
        _ => Vec::new(),
    }
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
    let gap = || vec![Missing::plain("role is missing")];
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

/// The name as state keeps it.
pub(super) fn username(spec: &RoleSpec) -> String {
    spec.name.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Ownership;

    fn observed(databases: &[(&str, Vec<Missing>)], login: Vec<Missing>) -> Observed {
        Observed {
            ownership: Ownership::Ours,
            login,
            coverage: Coverage { databases: databases.iter().map(|(n, g)| ((*n).to_owned(), g.clone())).collect() },
            uncovered: Coverage::default(),
            access: Access::ReadOnly,
            default_database: None,
        }
    }

    fn arn() -> Arn {
        "arn:aws:rds:eu-central-1:123456789012:db:ledger".parse().unwrap()
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
    fn a_promise_is_kept_on_exactly_its_keys() {
        let promised = BTreeMap::from([("a".to_owned(), COMPLETE.to_owned())]);
        let mut found = promised.clone();
        found.insert("new".to_owned(), "missing SELECT".to_owned());
        assert_eq!(keep_promise(&promised, &found), Ok(promised.clone()));
        found.insert("a".to_owned(), "missing SELECT".to_owned());
        assert_eq!(keep_promise(&promised, &found), Err(vec!["a: missing SELECT".to_owned()]));
    }

    #[test]
    fn what_does_not_fit_the_engine_is_refused() {
        let role =
            Role { schemas: std::collections::BTreeSet::from(["app".parse().unwrap()]).into(), ..Role::default() };
        assert!(check_engine(&role, &arn(), EngineKind::Postgres).is_empty());
        assert!(check_engine(&role, &arn(), EngineKind::Mariadb)[0].summary.contains("`schemas`"));
        let role = Role { name: "x".repeat(64).parse::<RoleName>().unwrap().into(), ..Role::default() };
        assert!(check_engine(&role, &arn(), EngineKind::Postgres)[0].summary.contains("name"));
        assert!(check_engine(&Role::default(), &arn(), EngineKind::Sqlserver).is_empty());
        let role = Role { host: "%".parse::<HostPattern>().unwrap().into(), ..Role::default() };
        assert!(check_engine(&role, &arn(), EngineKind::Sqlserver)[0].summary.contains("`host`"));
        let role = Role { name: "sa".parse::<RoleName>().unwrap().into(), ..Role::default() };
        assert!(check_engine(&role, &arn(), EngineKind::Sqlserver)[0].detail.contains("reserved"));
    }

    #[test]
    fn owners_are_for_ddl_only() {
        let owners = std::collections::BTreeSet::from(["app".parse().unwrap()]);
        let role = Role { owners: owners.into(), access: Access::ReadOnly.into(), ..Role::default() };
        assert_eq!(validate(&role).len(), 1);
        assert!(validate(&Role { access: Access::Ddl.into(), ..role }).is_empty());
    }
}
