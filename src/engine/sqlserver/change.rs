//! What differs in one database, in words and in statements, and how one GRANT or REVOKE is written.

use super::catalog::{Content, Right, Securable};
use super::quote::identifier;
use crate::access::{Access, Missing};

/// The difference in one database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// What apply repairs
    pub(super) gaps: Vec<Missing>,
    /// Whether nothing can be done here
    pub(super) blocked: bool,
    /// What stays as it is
    pub(super) left: Vec<Missing>,
    /// Statements that make the gaps disappear
    pub(super) statements: Vec<String>,
    /// The smallest level that contains the rights found
    pub(super) access: Option<Access>,
}

impl Difference {
    /// Something that is lacking, and what ends it.
    pub(super) fn lack(&mut self, gap: impl Into<String>, statement: String) {
        self.gaps.push(Missing::lacking(gap));
        self.statements.push(statement);
    }

    /// Something beyond what is wanted, and what ends it.
    pub(super) fn add(&mut self, gap: impl Into<String>, statement: String) {
        self.gaps.push(Missing::plain(gap));
        self.statements.push(statement);
    }

    /// Something that differs on one object, and what ends it.
    pub(super) fn add_on(&mut self, missing: Missing, on: &Securable, statement: String) {
        merge(&mut self.gaps, missing, on);
        self.statements.push(statement);
    }

    /// A right of this level was found.
    pub(super) fn raise(&mut self, found: Option<Access>) {
        self.access = self.access.max(found);
    }
}

/// Objects with the same gap are listed together.
pub(super) fn merge(list: &mut Vec<Missing>, missing: Missing, on: &Securable) {
    let (noun, name) = words(on);
    match list.iter_mut().find(|gap| gap.what == missing.what && gap.noun == noun && !name.is_empty()) {
        // Two may have given the same right.
        Some(gap) if gap.names.contains(&name) => {}
        Some(gap) => gap.names.push(name),
        None if noun.is_empty() => list.push(missing),
        None => list.push(Missing { noun: noun.to_owned(), names: vec![name], ..missing }),
    }
}

/// `dbo` in every database: in its name members of `db_owner` give and take.
pub(super) const DBO: i64 = 1;

/// Takes a user out of a role.
pub(super) fn leave_role(role: &str, grantee: &str) -> String {
    format!("ALTER ROLE {} DROP MEMBER {grantee}", identifier(role))
}

/// The place of a right in a statement; `None` for one that is not known here.
pub(super) fn clause(on: &Securable) -> Option<String> {
    Some(match on {
        Securable::Database => String::new(),
        Securable::Schema(schema) => format!(" ON SCHEMA::{}", identifier(schema)),
        Securable::Object(schema, object) => format!(" ON OBJECT::{}.{}", identifier(schema), identifier(object)),
        Securable::Column(schema, object, column) => {
            format!(" ON OBJECT::{}.{} ({})", identifier(schema), identifier(object), identifier(column))
        }
        Securable::InSchema(class, schema, name) => format!(" ON {class}::{}.{}", identifier(schema), identifier(name)),
        Securable::Principal(class, name) => format!(" ON {class}::{}", identifier(name)),
        Securable::Other(_) => return None,
    })
}

/// Kind and name of a place, in words.
pub(super) fn words(on: &Securable) -> (&'static str, String) {
    match on {
        Securable::Database => ("", String::new()),
        Securable::Schema(schema) => ("schema", schema.clone()),
        Securable::Object(schema, object) => ("object", format!("{schema}.{object}")),
        Securable::Column(schema, object, column) => ("column", format!("{schema}.{object}.{column}")),
        Securable::InSchema("TYPE", schema, name) => ("type", format!("{schema}.{name}")),
        Securable::InSchema(_, schema, name) => ("XML schema collection", format!("{schema}.{name}")),
        Securable::Principal("ROLE", name) => ("role", name.clone()),
        Securable::Principal("USER", name) => ("user", name.clone()),
        Securable::Principal(_, name) => ("application role", name.clone()),
        Securable::Other(class) => ("securable", class.to_lowercase().replace('_', " ")),
    }
}

/// `name` is out of the closed list or out of the catalog.
pub(super) fn grant(on: &Securable, name: &str, grantee: &str) -> String {
    format!("GRANT {name}{} TO {grantee}", clause(on).unwrap_or_default())
}

/// CASCADE also takes what was passed on, without which a right that may be passed on cannot be taken. What somebody else
/// gave is taken in that name; REVOKE alone would do nothing and say nothing.
pub(super) fn take(prefix: &str, content: &Content, right: &Right, grantee: &str) -> Option<String> {
    let name = right_name(right)?;
    let on = clause(&right.on)?;
    Some(format!("{prefix} {name}{on} FROM {grantee} CASCADE{}", in_name_of(content, right.grantor)))
}

/// The clause that acts in the name of who gave a right; nothing for `dbo`, in whose name the administrator acts.
pub(super) fn in_name_of(content: &Content, grantor: i64) -> String {
    let other = content.name_of(grantor).filter(|_| grantor != DBO);
    other.map(|name| format!(" AS {}", identifier(name))).unwrap_or_default()
}

/// The name of a right of the catalog, as long as it can be nothing else in a statement.
pub(super) fn right_name(right: &Right) -> Option<&str> {
    Some(right.name.as_str()).filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b' '))
}
