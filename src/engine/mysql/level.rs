//! Privileges by the name that GRANT takes, and the set that each level holds.

use std::collections::BTreeSet;
use std::fmt;

use crate::access::{Access, ObjectKind, PrivilegeName};

/// A set of privileges, sorted by name.
pub(super) type Privileges = BTreeSet<Privilege>;

/// The name of a privilege. It goes into SQL unquoted, so it holds nothing but capitals, spaces and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Privilege(String);

impl Privilege {
    /// A privilege by the name that GRANT takes; `None` when it cannot be one.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.to_uppercase();
        let plain = |c: char| c.is_ascii_uppercase() || c == ' ' || c == '_';
        (!name.trim().is_empty() && name.chars().all(plain)).then_some(Self(name))
    }

    /// The privilege of a column of `mysql.db`, such as `Create_view_priv`; `None` for a column of another kind.
    pub(super) fn of_column(column: &str) -> Option<Self> {
        match column.strip_suffix("_priv")? {
            "Grant" => Self::named("GRANT OPTION"),
            "Create_tmp_table" => Self::named("CREATE TEMPORARY TABLES"),
            other => Self::named(&other.replace('_', " ")),
        }
    }

    /// The privileges of a SET column such as `tables_priv.Table_priv`: `Select,Show view,Grant`.
    pub(super) fn of_set(text: &str) -> Privileges {
        text.split(',')
            .filter_map(|word| match word {
                "Grant" => Self::named("GRANT OPTION"),
                "Delete versioning rows" => Self::named("DELETE HISTORY"),
                other => Self::named(other),
            })
            .collect()
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What `grants` may give on tables and views.
const ON_TABLES: &[&str] = &[
    "ALTER",
    "CREATE",
    "CREATE VIEW",
    "DELETE",
    "DROP",
    "INDEX",
    "INSERT",
    "REFERENCES",
    "SELECT",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
];
/// What `grants` may give on functions and procedures.
const ON_ROUTINES: &[&str] = &["ALTER ROUTINE", "EXECUTE"];
/// What `grants` may give on a database beside the two lists above.
const ON_DATABASES: &[&str] = &["CREATE ROUTINE", "CREATE TEMPORARY TABLES", "EVENT", "LOCK TABLES"];
/// What `grants` may give on tables and databases of MariaDB only.
const ON_TABLES_OF_MARIADB: &[&str] = &["DELETE HISTORY"];

/// The closed list of what `grants` may give on this kind of object. A privilege that is not on it never reaches a
/// statement. `GRANT OPTION` is not on it on purpose.
pub(super) fn grantable(mariadb: bool, kind: ObjectKind) -> Vec<&'static str> {
    let lists: &[&[&str]] = match kind {
        ObjectKind::Database => &[ON_TABLES, ON_ROUTINES, ON_DATABASES],
        ObjectKind::Table => &[ON_TABLES],
        ObjectKind::Function => &[ON_ROUTINES],
        ObjectKind::Schema | ObjectKind::Sequence => &[],
    };
    let special = if mariadb && lists.contains(&ON_TABLES) { ON_TABLES_OF_MARIADB } else { &[] };
    let mut names: Vec<&str> = lists.iter().copied().flatten().chain(special).copied().collect();
    names.sort_unstable();
    names
}

/// The privileges of one entry of `grants`, out of the closed list.
pub(super) fn granted<'a>(
    mariadb: bool,
    kind: ObjectKind,
    names: impl IntoIterator<Item = &'a PrivilegeName>,
) -> Privileges {
    let known = grantable(mariadb, kind);
    let of_list = |name: &PrivilegeName| known.iter().find(|known| **known == name.as_str());
    names.into_iter().filter_map(|name| of_list(name).map(|known| Privilege((*known).to_owned()))).collect()
}

/// The names, joined by commas: for SQL and for sentences.
pub(super) fn list<'a>(privileges: impl IntoIterator<Item = &'a Privilege>) -> String {
    privileges.into_iter().map(|privilege| privilege.0.as_str()).collect::<Vec<_>>().join(", ")
}

/// What a level holds on a database.
pub(super) fn level(access: Access) -> Privileges {
    let names: &[&str] = match access {
        Access::ReadOnly => &["SELECT", "SHOW VIEW"],
        Access::ReadWrite => &["INSERT", "UPDATE", "DELETE"],
        Access::Ddl => &["CREATE", "ALTER", "DROP", "INDEX", "REFERENCES", "CREATE VIEW"],
    };
    let mut held: Privileges = names.iter().map(|name| Privilege((*name).to_owned())).collect();
    match access {
        Access::ReadOnly => {}
        Access::ReadWrite => held.extend(level(Access::ReadOnly)),
        Access::Ddl => held.extend(level(Access::ReadWrite)),
    }
    held
}

/// Whether the rights of a level are among these, so that this provider may have granted them.
pub(super) fn contains_level(privileges: &Privileges) -> bool {
    level(Access::ReadOnly).is_subset(privileges)
}

/// The smallest level that contains these rights; `ddl` when none does.
pub(super) fn smallest_level(privileges: &Privileges) -> Access {
    Access::ALL.into_iter().find(|access| privileges.is_subset(&level(*access))).unwrap_or(Access::Ddl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_adds_to_the_one_before() {
        assert_eq!(list(&level(Access::ReadOnly)), "SELECT, SHOW VIEW");
        assert_eq!(list(&level(Access::ReadWrite)), "DELETE, INSERT, SELECT, SHOW VIEW, UPDATE");
        assert_eq!(
            list(&level(Access::Ddl)),
            "ALTER, CREATE, CREATE VIEW, DELETE, DROP, INDEX, INSERT, REFERENCES, SELECT, SHOW VIEW, UPDATE"
        );
    }

    #[test]
    fn columns_and_sets_of_the_grant_tables_become_the_names_that_grant_takes() {
        for (column, name) in [
            ("Select_priv", "SELECT"),
            ("Grant_priv", "GRANT OPTION"),
            ("Create_tmp_table_priv", "CREATE TEMPORARY TABLES"),
            ("Lock_tables_priv", "LOCK TABLES"),
            ("Delete_history_priv", "DELETE HISTORY"),
        ] {
            assert_eq!(Privilege::of_column(column).unwrap().to_string(), name);
        }
        assert_eq!(Privilege::of_column("Host"), None);
        assert_eq!(
            list(&Privilege::of_set("Select,Show view,Grant,Delete versioning rows")),
            "DELETE HISTORY, GRANT OPTION, SELECT, SHOW VIEW"
        );
        assert_eq!(Privilege::of_set(""), Privileges::new());
    }

    #[test]
    fn a_name_that_could_break_out_of_sql_is_no_privilege() {
        for hostile in ["SELECT ON *.*; --", "A`B", "", " ", "SÉLECT"] {
            assert_eq!(Privilege::named(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn the_smallest_level_is_inferred_from_the_rights() {
        assert_eq!(smallest_level(&Privileges::new()), Access::ReadOnly);
        assert_eq!(smallest_level(&Privilege::of_set("Insert")), Access::ReadWrite);
        assert_eq!(smallest_level(&Privilege::of_set("Select,Drop")), Access::Ddl);
        assert_eq!(smallest_level(&Privilege::of_set("Event")), Access::Ddl);
    }
}
