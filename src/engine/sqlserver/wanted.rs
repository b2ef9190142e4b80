//! What the single rights of `grants` come to in one database. Pure.

use std::collections::BTreeSet;

use super::catalog::{Names, Securable};
use super::level::right;
use crate::access::{Grant, Identifier, ObjectKind};

/// A right that `grants` asks for.
pub(super) type Wanted = (Securable, &'static str);

/// The rights that `grants` asks for in this database. All objects of a kind are granted at the scope of their schema.
pub(super) fn wanted(grants: &BTreeSet<Grant>, names: Names, database: &str) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for grant in grants.iter().filter(|grant| names.same(grant.database.as_str(), database)) {
        let rights = grant.privileges.iter().filter_map(|privilege| right(grant.kind, privilege.as_str()));
        let rights: Vec<&'static str> = rights.collect();
        for on in places(grant) {
            wanted.extend(rights.iter().map(|right| (on.clone(), *right)));
        }
    }
    wanted
}

fn places(grant: &Grant) -> Vec<Securable> {
    let schema = grant.schema.as_ref().map(|schema| schema.as_str().to_owned());
    match (grant.kind, schema, &grant.objects) {
        (ObjectKind::Database, _, _) | (_, None, _) => vec![Securable::Database],
        (_, Some(schema), Some(objects)) => {
            objects.iter().map(|object| Securable::Object(schema.clone(), object.as_str().to_owned())).collect()
        }
        (_, Some(schema), None) => vec![Securable::Schema(schema)],
    }
}
