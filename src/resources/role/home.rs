//! `default_database`: the database that clients open first. It is chosen once and stays, so that a database that somebody
//! makes on the server moves no connection. Pure.

use crate::access::{EngineKind, Identifier};
use crate::engine::Observed;
use crate::schema::Attr;

use super::model::Role;
use super::spec;

/// The one of before while the role covers it; otherwise the first one that it covers.
pub(super) fn of(prior: &Role, engine: EngineKind, observed: &Observed) -> Option<String> {
    match &prior.default_database {
        Attr::Known(name) if observed.covered.contains(name) => Some(name.clone()),
        _ => first(engine, observed),
    }
}

/// Whether an update of what is covered can move it.
pub(super) fn may_move(prior: &Role, planned: &Role) -> bool {
    if spec::is_unread(&prior.coverage) {
        return true;
    }
    match (&prior.default_database, &planned.databases) {
        (Attr::Known(name), Attr::Known(databases)) => !databases.iter().any(|database| database.as_str() == name),
        // SQL Server calls a database as it is called there, once the configuration does not name it.
        (Attr::Known(_), Attr::Null) => {
            prior.databases.is_known() && prior.engine.get() == Some(&EngineKind::Sqlserver)
        }
        (Attr::Known(_), Attr::Unknown) => true,
        (_, databases) => prior.databases != *databases,
    }
}

/// PostgreSQL has one whatever the role covers.
fn first(engine: EngineKind, observed: &Observed) -> Option<String> {
    let fallback = (engine == EngineKind::Postgres).then(|| "postgres".to_owned());
    observed.default_database.as_ref().map(|name| name.as_str().to_owned()).or(fallback)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::access::{Access, Auth, Coverage, DatabaseName};
    use crate::engine::Ownership;

    type Databases = Attr<BTreeSet<DatabaseName>>;

    fn observed(covered: &[&str]) -> Observed {
        Observed {
            ownership: Ownership::Ours,
            auth: Auth::Password,
            login: Vec::new(),
            coverage: Coverage::default(),
            uncovered: Coverage::default(),
            access: Access::ReadOnly,
            covered: covered.iter().map(|name| (*name).to_owned()).collect(),
            default_database: covered.first().map(|name| name.parse().unwrap()),
            notes: Vec::new(),
        }
    }

    fn named(names: &[&str]) -> Databases {
        names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<DatabaseName>>().into()
    }

    /// A role that was looked at before.
    fn role(home: Option<&str>, databases: Databases) -> Role {
        Role {
            default_database: home.map(str::to_owned).into(),
            coverage: BTreeMap::new().into(),
            engine: EngineKind::Postgres.into(),
            databases,
            ..Role::default()
        }
    }

    #[test]
    fn it_stays_while_it_is_covered_and_is_chosen_anew_after_that() {
        let prior = role(Some("shop"), Attr::Null);
        for engine in EngineKind::ALL {
            let home = |covered: &[&str]| of(&prior, engine, &observed(covered));
            assert_eq!(home(&["aaa", "shop"]).as_deref(), Some("shop"), "{engine}");
            assert_eq!(home(&["aaa", "zoo"]).as_deref(), Some("aaa"), "{engine}");
            assert_eq!(home(&[]).as_deref(), (engine == EngineKind::Postgres).then_some("postgres"), "{engine}");
            let new = of(&Role::default(), engine, &observed(&["aaa", "shop"]));
            assert_eq!(new.as_deref(), Some("aaa"), "{engine}");
        }
    }

    #[test]
    fn a_server_that_had_none_gives_the_first_that_is_made() {
        let (prior, seen) = (role(None, Attr::Null), observed(&["shop"]));
        for engine in EngineKind::ALL {
            assert_eq!(of(&prior, engine, &seen).as_deref(), Some("shop"), "{engine}");
        }
    }

    #[test]
    fn a_plan_leaves_it_open_only_where_the_change_can_move_it() {
        let moves = |home, before: &Databases, after: &Databases| {
            may_move(&role(home, before.clone()), &role(home, after.clone()))
        };
        let (all, shop, both) = (Attr::Null, named(&["shop"]), named(&["aaa", "shop"]));
        assert!(!moves(Some("shop"), &all, &all), "another level, schemas, grants");
        assert!(!moves(Some("shop"), &shop, &both) && !moves(Some("shop"), &all, &both));
        assert!(!moves(Some("shop"), &shop, &all) && !moves(None, &all, &all));
        assert!(moves(Some("aaa"), &both, &shop) && moves(Some("shop"), &all, &Attr::Unknown));
        assert!(moves(None, &all, &shop));
        let sqlserver = Role { engine: EngineKind::Sqlserver.into(), ..role(Some("Shop"), named(&["Shop"])) };
        assert!(may_move(&sqlserver, &Role { databases: Attr::Null, ..sqlserver.clone() }));
        assert!(may_move(&Role { coverage: Attr::Null, ..role(Some("shop"), Attr::Null) }, &role(None, Attr::Null)));
    }
}
