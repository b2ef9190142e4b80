//! The group that holds a level in one database: its name, and the note on it.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::catalog::{GROUP_PREFIX, Role};
use crate::access::{Access, Identifier, Mark};
use crate::engine::RoleSpec;

/// A group of ours, by what it is for. Logins with the same key share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// `rdsaccess_<ro|rw|ddl>_<12 hex digits>`
    pub(super) name: String,
    /// Level that it holds
    pub(super) level: Access,
    /// Schemas that it covers; all when `None`
    pub(super) schemas: Option<BTreeSet<String>>,
    /// Roles whose rights a `ddl` group has
    pub(super) owners: BTreeSet<String>,
    /// The note on it
    pub(super) mark: Mark,
}

impl Group {
    /// The group that this role needs in this database.
    pub(super) fn of(spec: &RoleSpec, database: &str) -> Self {
        let schemas = spec.scope.schemas.as_ref().map(strings);
        let owners = match spec.access {
            Access::Ddl => spec.scope.owners.as_ref().map(strings).unwrap_or_default(),
            Access::ReadOnly | Access::ReadWrite => BTreeSet::new(),
        };
        let name = name(spec.access, database, schemas.as_ref(), &owners);
        let mark = Mark::new(&spec.mark.target, Some(purpose(spec.access, database, schemas.as_ref(), &owners)));
        Self { name, level: spec.access, schemas, owners, mark }
    }

    /// The login itself, seen as a group of its level.
    pub(super) fn login(spec: &RoleSpec) -> Self {
        let schemas = spec.scope.schemas.as_ref().map(strings);
        let (name, mark) = (spec.name.as_str().to_owned(), spec.mark.clone());
        Self { name, level: spec.access, schemas, owners: BTreeSet::new(), mark }
    }

    /// Any role, seen as a group that should hold nothing: what it takes to empty it before it goes.
    pub(super) fn retiring(role: &Role) -> Self {
        let mark = Mark::new("", None);
        let (schemas, owners) = (Some(BTreeSet::new()), BTreeSet::new());
        Self { name: role.name.clone(), level: Access::ReadOnly, schemas, owners, mark }
    }
}

/// Whether a group without named owners, of this name and level, covers this schema: because it covers all schemas, or
/// just this one. A group for several named schemas cannot be told from its name.
pub(super) fn is_named_for(group: &str, level: Access, database: &str, schema: &str) -> bool {
    let only = BTreeSet::from([schema.to_owned()]);
    [None, Some(&only)].into_iter().any(|schemas| name(level, database, schemas, &BTreeSet::new()) == group)
}

fn name(level: Access, database: &str, schemas: Option<&BTreeSet<String>>, owners: &BTreeSet<String>) -> String {
    // JSON keeps the parts apart whatever characters the names have.
    let key = serde_json::json!([database, schemas, owners]).to_string();
    let hash = hex::encode(Sha256::digest(key.as_bytes()));
    format!("{GROUP_PREFIX}{}_{}", level.suffix(), &hash[..12])
}

/// The level of a role that has the name of a group of ours and carries our mark.
pub(super) fn level_of(role: &Role) -> Option<Access> {
    role.mark()?;
    let (suffix, hash) = role.name.strip_prefix(GROUP_PREFIX)?.split_once('_')?;
    let is_hash = hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    Access::ALL.into_iter().find(|level| is_hash && level.suffix() == suffix)
}

fn strings<I: Identifier>(names: &BTreeSet<I>) -> BTreeSet<String> {
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

fn purpose(level: Access, database: &str, schemas: Option<&BTreeSet<String>>, owners: &BTreeSet<String>) -> String {
    let join = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut text = format!("{level} on database {database}, ");
    match schemas {
        Some(schemas) => text.push_str(&format!("schemas {}", join(schemas))),
        None => text.push_str("all schemas"),
    }
    if !owners.is_empty() {
        text.push_str(&format!(", owners {}", join(owners)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Scope;

    fn spec(access: Access, schemas: Option<&[&str]>) -> RoleSpec {
        let schemas = schemas.map(|names| names.iter().map(|name| name.parse().unwrap()).collect());
        RoleSpec {
            name: "hoop_ro".parse().unwrap(),
            host: "%".parse().unwrap(),
            access,
            scope: Scope { schemas, ..Scope::default() },
            grants: Default::default(),
            terms: Default::default(),
            mark: Mark::new("db-ABC", None),
            adopt: false,
            known: false,
        }
    }

    #[test]
    fn a_name_depends_on_everything_that_the_group_is_for() {
        let name = |access, schemas: Option<&[&str]>, database: &str| Group::of(&spec(access, schemas), database).name;
        let base = name(Access::ReadOnly, None, "app");
        assert!(base.starts_with("rdsaccess_ro_") && base.len() == 25, "{base}");
        assert_eq!(base, name(Access::ReadOnly, None, "app"));
        let others = [
            name(Access::ReadWrite, None, "app"),
            name(Access::ReadOnly, None, "App"),
            name(Access::ReadOnly, Some(&[]), "app"),
            name(Access::ReadOnly, Some(&["a", "b"]), "app"),
            name(Access::ReadOnly, Some(&["a\",\"b"]), "app"),
        ];
        let distinct: BTreeSet<_> = others.iter().chain([&base]).collect();
        assert_eq!(distinct.len(), others.len() + 1);
    }

    #[test]
    fn a_name_tells_whether_one_schema_is_covered() {
        let covers = |schemas| {
            let group = Group::of(&spec(Access::ReadOnly, schemas), "app").name;
            is_named_for(&group, Access::ReadOnly, "app", "sales")
        };
        assert!(covers(None));
        assert!(covers(Some(&["sales"])));
        assert!(!covers(Some(&["other"])));
    }

    #[test]
    fn only_a_marked_role_with_such_a_name_is_a_group_of_ours() {
        let group = Group::of(&spec(Access::Ddl, None), "app");
        let role = |name: &str, comment: Option<String>| Role {
            oid: 1,
            name: name.to_owned(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_db: false,
            login: false,
            replication: false,
            bypass_rls: false,
            valid_until: None,
            expired: false,
            connection_limit: -1,
            comment,
        };
        assert_eq!(level_of(&role(&group.name, Some(group.mark.to_json()))), Some(Access::Ddl));
        assert_eq!(level_of(&role(&group.name, None)), None);
        assert_eq!(level_of(&role("hoop_ddl", Some(group.mark.to_json()))), None);
    }
}
