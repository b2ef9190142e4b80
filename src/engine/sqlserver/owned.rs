//! The statements that take a user out of a database, with what it owns. Pure.
//!
//! Whoever has made a schema owns it, and a user that owns a schema or a role cannot be dropped. Both go to `dbo`; that
//! takes every right on them away, from everybody, and also the rights on what is in the schema and has no owner of its
//! own. So these are given again, in the same transaction.

use super::catalog::{Content, Right, Securable, State, User};
use super::change::{clause, in_name_of, right_name};
use super::quote::identifier;

/// Takes a user away. Objects in its schemas stay where they are, with the rights that others have on them.
pub(super) fn drop_user(content: &Content, user: &User) -> Vec<String> {
    let moved = Moved::of(content, user);
    let schemas = moved.schemas.iter().map(|schema| format!("SCHEMA::{}", identifier(schema)));
    let roles = moved.roles.iter().map(|role| format!("ROLE::{}", identifier(role)));
    let moves = schemas.chain(roles).map(|what| format!("ALTER AUTHORIZATION ON {what} TO [dbo]"));
    let again = moved.rights(content, user).into_iter().filter_map(|right| give_again(content, user, right));
    moves.chain(again).chain([format!("DROP USER {}", identifier(&user.name))]).collect()
}

/// What a user owns.
struct Moved<'a> {
    schemas: Vec<&'a str>,
    roles: Vec<&'a str>,
}

impl<'a> Moved<'a> {
    fn of(content: &'a Content, user: &User) -> Self {
        let schemas = content.schemas.iter().filter(|(_, owner)| *owner == user.id);
        let roles = content.users.iter().filter(|role| role.kind == "R" && role.owner == user.id);
        Self {
            schemas: schemas.map(|(schema, _)| schema.as_str()).collect(),
            roles: roles.map(|role| role.name.as_str()).collect(),
        }
    }

    fn loses(&self, right: &Right) -> bool {
        match &right.on {
            Securable::Principal("ROLE", name) => self.roles.contains(&name.as_str()),
            on => !right.owned && on.schema().is_some_and(|schema| self.schemas.contains(&schema)),
        }
    }

    /// The rights that others lose, in an order in which they can be given: a right on a table takes back what is said of
    /// its columns, so these come later, and so does what somebody passed on.
    fn rights(&self, content: &'a Content, user: &User) -> Vec<&'a Right> {
        let lost = content.rights.iter().filter(|right| right.grantee != user.id && self.loses(right));
        let (columns, others): (Vec<&Right>, Vec<&Right>) =
            lost.partition(|right| matches!(right.on, Securable::Column(..)));
        let mut waiting: Vec<&Right> = others.into_iter().chain(columns).collect();
        let mut ordered = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let passes_on = |giver: i64| waiting.iter().any(|r| r.grantee == giver && r.state == State::Grantable);
            // Two who gave to each other: the server says what it thinks of that, and nothing is changed.
            let next = waiting.iter().position(|right| !passes_on(right.grantor)).unwrap_or(0);
            ordered.push(waiting.remove(next));
        }
        ordered
    }
}

/// Gives a right again. What the owner gave is given by the next owner. Every principal is visible to `db_owner`, and
/// the catalog spells every right as statements do, so none is left out.
fn give_again(content: &Content, user: &User, right: &Right) -> Option<String> {
    let (name, on) = (right_name(right)?, clause(&right.on)?);
    let grantee = identifier(content.name_of(right.grantee)?);
    let giver = if right.grantor == user.id { String::new() } else { in_name_of(content, right.grantor) };
    Some(match right.state {
        State::Granted => format!("GRANT {name}{on} TO {grantee}{giver}"),
        State::Grantable => format!("GRANT {name}{on} TO {grantee} WITH GRANT OPTION{giver}"),
        State::Denied => format!("DENY {name}{on} TO {grantee}{giver}"),
        State::Excepted => format!("REVOKE {name}{on} FROM {grantee}{giver}"),
    })
}
