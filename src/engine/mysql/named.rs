//! The tables and routines that `grants` name, as far as they exist. A server may hold a hundred thousand tables, so the
//! catalog does not list them; only what is named is looked up, and nothing is asked when nothing is named.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{Object, Settings};
use super::connect::Session;
use super::error::Failure;
use super::quote::{Statement, text};
use crate::access::{Identifier, ObjectKind};
use crate::engine::RoleSpec;

/// What of the named objects exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Database and table or view
    pub(super) tables: BTreeSet<(String, String)>,
    /// Database, kind (`FUNCTION`, `PROCEDURE`) and name, as it was created
    pub(super) routines: BTreeSet<(String, String, String)>,
}

impl Named {
    /// Looks up what the specification names, in one round trip at most.
    pub(super) async fn load(session: &mut Session<'_>, settings: &Settings, spec: &RoleSpec) -> Result<Self, Failure> {
        let tables = queries(settings, spec, ObjectKind::Table);
        let routines = queries(settings, spec, ObjectKind::Function);
        if tables.is_empty() && routines.is_empty() {
            return Ok(Self::default());
        }
        let statements: Vec<Statement> = tables.iter().chain(&routines).cloned().collect();
        let mut sets = session.batch(&statements).await?;
        let found = sets.split_off(tables.len()).into_iter().flatten();
        Ok(Self {
            tables: sets.into_iter().flatten().filter_map(|row| mysql_async::from_row_opt(row).ok()).collect(),
            routines: found.filter_map(|row| mysql_async::from_row_opt(row).ok()).collect(),
        })
    }

    /// Whether there is a table or view of exactly this name.
    pub(super) fn has_table(&self, database: &str, table: &str) -> bool {
        self.tables.iter().any(|(of, name)| of == database && name == table)
    }

    /// The function and the procedure of that name; routine names ignore case.
    pub(super) fn routines_called(&self, database: &str, name: &str) -> Vec<Object> {
        let wanted = name.to_lowercase();
        let called = |(of, _, found): &&(String, String, String)| of == database && found.to_lowercase() == wanted;
        self.routines.iter().filter(called).map(|(_, kind, name)| Object::Routine(kind.clone(), name.clone())).collect()
    }
}

/// What the server's `latin1` has where Unicode has control characters, from 0x80 on; a space stands for a gap.
const LATIN1: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// The name of a routine out of `mysql.procs_priv`. MariaDB writes the bytes of the name there as if they were `latin1`,
/// so that `ü` reads as `Ã¼`; a name that only reads like that does not exist in practice.
pub(super) fn routine_name(stored: &str) -> String {
    let byte = |c: char| match LATIN1.chars().position(|special| special == c && c != ' ') {
        Some(at) => u8::try_from(0x80 + at).ok(),
        None => u8::try_from(u32::from(c)).ok(),
    };
    let bytes: Option<Vec<u8>> = stored.chars().map(byte).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| stored.to_owned())
}

/// One query per database that is named, so that the server opens no other.
fn queries(settings: &Settings, spec: &RoleSpec, kind: ObjectKind) -> Vec<Statement> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for grant in spec.grants.iter().filter(|grant| grant.kind == kind) {
        let names = grant.objects.iter().flatten().map(|name| text(&settings.fold(name.as_str())));
        named.entry(settings.fold(grant.database.as_str())).or_default().extend(names);
    }
    let query = |(database, names): (String, BTreeSet<String>)| {
        let (of, names) = (text(&database), names.into_iter().collect::<Vec<_>>().join(", "));
        let sql = match kind {
            ObjectKind::Function => format!(
                "SELECT ROUTINE_SCHEMA, ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.routines \
                 WHERE ROUTINE_SCHEMA = {of} AND ROUTINE_NAME IN ({names}) \
                 AND ROUTINE_TYPE IN ('FUNCTION', 'PROCEDURE')"
            ),
            _ => format!(
                "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.tables \
                 WHERE TABLE_SCHEMA = {of} AND TABLE_NAME IN ({names})"
            ),
        };
        Statement::new(format!("looking up what is named in {database}"), sql)
    };
    named.into_iter().filter(|(_, names)| !names.is_empty()).map(query).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routine_name_is_read_as_it_was_given() {
        for (stored, name) in
            [("plain_1", "plain_1"), ("Ã¼", "ü"), ("æ—¥æœ¬", "日本"), ("ü", "ü"), ("日本", "日本"), ("â‚¬", "€")]
        {
            assert_eq!(routine_name(stored), name);
        }
    }
}
