//! The statements of each level on each kind of version, from catalogs that were recorded on real servers: a change of
//! one word shows in review. `RDSACCESS_UPDATE=1` writes the files anew; the catalogs themselves are recorded by the
//! tests against real servers.

use std::sync::Arc;

use super::super::apply::transaction;
use super::super::catalog::{Cluster, Contents};
use super::super::plan::{Plan, Survey, covered_databases};
use super::super::reach::Reach;
use crate::access::{Access, Auth, Grant, Mark, ObjectKind};
use crate::engine::{RoleSpec, Scope, Terms, golden};

/// The oldest, the last two before and after memberships got options, and the newest.
const VERSIONS: [u32; 4] = [12, 15, 16, 18];

fn survey(version: u32, spec: &RoleSpec) -> Survey {
    let recorded = std::fs::read_to_string(golden::path(&format!("postgres/{version}/catalog.json"))).unwrap();
    let (cluster, contents) = recorded.split_once('\n').unwrap();
    let cluster = Arc::new(Cluster::parse(cluster).unwrap());
    assert_eq!(cluster.version / 10_000, version);
    let contents = Arc::new(Contents::parse(contents).unwrap());
    let (databases, absent) = covered_databases(&cluster, spec);
    let open = databases.into_iter().map(|database| (database, Arc::clone(&contents))).collect();
    Survey { cluster, open, closed: Vec::new(), left: Vec::new(), absent }
}

fn spec(access: Access) -> RoleSpec {
    RoleSpec {
        name: "hoop".parse().unwrap(),
        host: "%".parse().unwrap(),
        access,
        scope: Scope { databases: Some(["app".parse().unwrap()].into()), ..Scope::default() },
        grants: Default::default(),
        terms: Terms::default(),
        mark: Mark::new("db-ABC", None),
        adopt: false,
        known: false,
    }
}

/// A reader with everything that a level does not say.
fn with_everything() -> RoleSpec {
    let grant = |kind, schema: Option<&str>, objects: Option<&str>, privileges: &[&str]| Grant {
        database: "app".parse().unwrap(),
        schema: schema.map(|name| name.parse().unwrap()),
        kind,
        objects: objects.map(|name| [name.parse().unwrap()].into()),
        privileges: privileges.iter().map(|name| name.parse().unwrap()).collect(),
    };
    let grants = [
        grant(ObjectKind::Database, None, None, &["TEMPORARY"]),
        grant(ObjectKind::Schema, Some("sales"), None, &["CREATE"]),
        grant(ObjectKind::Table, Some("sales"), Some("orders"), &["INSERT", "UPDATE"]),
        grant(ObjectKind::Sequence, Some("sales"), None, &["USAGE"]),
        grant(ObjectKind::Function, Some("sales"), Some("total"), &["EXECUTE"]),
    ];
    let terms = Terms {
        auth: Auth::Iam,
        valid_until: Some("2030-01-31T12:00:00Z".parse().unwrap()),
        connection_limit: Some(5),
        keeps_old_password: false,
    };
    RoleSpec { grants: grants.into(), terms, ..spec(Access::ReadOnly) }
}

fn statements(version: u32, spec: &RoleSpec) -> String {
    let survey = survey(version, spec);
    let plan = Plan::new(&survey, spec);
    assert!(plan.refusal.is_none(), "{:?}", plan.refusal);
    let reach = Reach::new(&survey.cluster);
    let parts = plan.into_transactions(None, String::new());
    let texts = parts.iter().map(|(database, steps)| {
        format!("-- PostgreSQL {version}, database {database}\n{};\n", transaction(&reach, steps, None).as_str())
    });
    texts.collect()
}

#[test]
fn the_statements_of_a_new_role_are_those_that_were_reviewed() {
    let pages = VERSIONS.into_iter().flat_map(|version| {
        let levels = Access::ALL.map(|access| (access.to_string(), spec(access)));
        let all = levels.into_iter().chain([("grants_and_token".to_owned(), with_everything())]);
        all.map(move |(name, spec)| (format!("postgres/{version}/{name}.sql"), statements(version, &spec)))
    });
    golden::assert_committed(pages);
}

#[test]
fn no_statement_names_a_system_schema() {
    for version in VERSIONS {
        for access in Access::ALL {
            let text = statements(version, &spec(access));
            for word in ["\"pg_", "information_schema", "\"rdsadmin\""] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }
}
