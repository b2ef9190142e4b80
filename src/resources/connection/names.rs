//! Two blocks with one name: the gateway has one connection of a name, so the second block would take over what the first
//! has made, and destroying either would remove both.
//!
//! The provider does not see addresses. It sees that a connection is planned as new with other values than before, or once
//! as new and once as there already. The same object is planned more than once, too: by the plan and by the apply, and under
//! `terraform test` both of them, of every run, come to one process. So a plan with equal values is no second block; of two
//! blocks that are wholly equal the apply refuses the second to be made.

use crate::gateway::{Gateway, Made, Notes};
use crate::report::Report;
use crate::schema::{Model as _, Private};
use crate::value::Value;

use super::error::Error;
use super::model::Connection;

/// Private entry of a connection that was planned as there already: its name. When Terraform replaces an object, the plan of
/// the new one begins with the private state that the plan of the old one has left. The entry stays in the state after an
/// update, so it says nothing about another name.
const PLANNED: &str = "planned";

/// Checks that no other block of the run has the name of this one. Returns what to warn of.
pub(super) fn check(
    gateway: &Gateway,
    prior: Option<&Connection>,
    planned: &Connection,
    private: &mut Private,
) -> Result<Option<Report>, Error> {
    let Some(name) = planned.name.get() else { return Ok(None) };
    match prior {
        Some(prior) if prior.name == planned.name => {
            private.set(PLANNED, name);
            gateway.with_notes(|notes| held(notes, name, prior))
        }
        // Terraform asks again for the new object.
        Some(_) => Ok(None),
        None => {
            let replaces = private.get(PLANNED) == Some(name);
            gateway.with_notes(|notes| new(notes, name, planned.to_value(), replaces)).map(|()| None)
        }
    }
}

/// A plan of a connection that is there.
fn held(notes: &mut Notes, name: &str, prior: &Connection) -> Result<Option<Report>, Error> {
    let is_second = !notes.add(Made::PlannedHeld, name);
    // What this process has made or changed was planned by it before.
    if prior.id.get().is_some_and(|id| notes.says(Made::Connection, name, id)) {
        return Ok(None);
    }
    if notes.has(Made::PlannedNew, name) && !notes.has(Made::Replacing, name) {
        return Err(Error::SameName { name: name.to_owned() });
    }
    Ok(is_second.then(|| held_twice(name)))
}

/// A plan of a connection that is to be made.
fn new(notes: &mut Notes, name: &str, planned: Value, replaces: bool) -> Result<(), Error> {
    let is_taken = match notes.get(Made::PlannedNew, name) {
        _ if replaces => false,
        Some(before) => !agree(before, &planned),
        None => notes.has(Made::PlannedHeld, name),
    };
    if is_taken {
        return Err(Error::SameName { name: name.to_owned() });
    }
    notes.set(Made::PlannedNew, name, planned);
    if replaces {
        notes.add(Made::Replacing, name);
    }
    Ok(())
}

/// Whether two plans can be of one block: what is known in both is equal. The apply knows more than the plan did.
fn agree(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Unknown(_), _) | (_, Value::Unknown(_)) => true,
        (Value::Object(one), Value::Object(other)) | (Value::Map(one), Value::Map(other)) => {
            let has_like = |(key, value)| other.get(key).is_some_and(|like| agree(value, like));
            one.len() == other.len() && one.iter().all(has_like)
        }
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| agree(one, other))
        }
        // Which elements of two sets belong together nobody knows.
        _ => one == other || !one.is_wholly_known() || !other.is_wholly_known(),
    }
}

/// Before a connection is made: refuses a second one of a name in this process, unless it replaces the first.
pub(super) fn making(gateway: &Gateway, name: &str) -> Result<(), Error> {
    gateway.with_notes(|notes| {
        if notes.has(Made::Connection, name) && !notes.has(Made::Replacing, name) {
            return Err(Error::SameName { name: name.to_owned() });
        }
        notes.set(Made::Connection, name, Value::Null);
        Ok(())
    })
}

/// After a connection was made or changed: from now on it is planned as there already.
pub(super) fn made(gateway: &Gateway, name: &str, id: &str) {
    gateway.with_notes(|notes| {
        notes.set(Made::Connection, name, Value::string(id));
        notes.forget(&[Made::PlannedNew, Made::Replacing], name);
    });
}

/// Whether a connection that is there may be taken over: `false` when another object of the run deletes it, or has.
pub(super) fn claim(gateway: &Gateway, name: &str, id: &str) -> bool {
    gateway.with_notes(|notes| !notes.says(Made::Deleted, name, id) && notes.add(Made::Claimed, name))
}

/// After a connection was deleted, or found to be gone by its delete: nothing that was noted of it is true any more.
pub(super) fn deleted(gateway: &Gateway, name: &str, id: Option<&str>) {
    gateway.with_notes(|notes| {
        if let Some(id) = id {
            notes.set(Made::Deleted, name, Value::string(id));
            // Another object may be about to make one of that name, and waits for this delete.
            if notes.says(Made::Connection, name, id) {
                notes.forget(&[Made::Connection], name);
            }
        }
        notes.forget(&[Made::Claimed, Made::PlannedNew, Made::PlannedHeld, Made::Replacing], name);
    });
}

/// A refresh comes before every plan, so what an earlier apply of this process has taken over is settled; of a connection
/// that is gone nothing else is true either.
pub(super) fn refreshed(gateway: &Gateway, name: &str, is_there: bool) {
    let settled: &[Made] =
        if is_there { &[Made::Claimed] } else { &[Made::Claimed, Made::Connection, Made::PlannedHeld] };
    gateway.with_notes(|notes| notes.forget(settled, name));
}

/// Whether a connection of the name was there already when this process came to make it.
pub(super) fn was_there(gateway: &Gateway, name: &str) -> bool {
    gateway.with_notes(|notes| notes.has(Made::Claimed, name) || notes.has(Made::Deleted, name))
}

/// What earlier versions let happen.
fn held_twice(name: &str) -> Report {
    Report::warning(
        "Two objects of the state hold one connection",
        format!(
            "Connection `{name}` stands in the state twice: two blocks have the same name. Destroying either removes the \
             connection of both. Take one out of the state with `terraform state rm`, then take its block out of the \
             configuration or give it another name."
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::gateway::{Retry, Settings, Token};
    use crate::schema::Attr;

    const NAME: &str = "a-ro";

    fn gateway() -> Gateway {
        let url = "https://hoop.example.com".parse().unwrap();
        let token = Token::new(&"hpk_hunter2".into()).unwrap();
        Gateway::new(Settings::new(url, token, Retry::new(Arc::new(|| 0))))
    }

    fn named(name: &str) -> Connection {
        Connection { name: name.to_owned().into(), ..Connection::default() }
    }

    /// A block whose agent is known or not yet.
    fn through(agent: Attr<String>) -> Connection {
        Connection { agent_id: agent, ..named(NAME) }
    }

    fn agent(id: &str) -> Attr<String> {
        id.to_owned().into()
    }

    fn plan(
        gateway: &Gateway,
        prior: Option<&str>,
        name: &str,
        private: &mut Private,
    ) -> Result<Option<Report>, Error> {
        check(gateway, prior.map(named).as_ref(), &named(name), private)
    }

    fn is_taken(gateway: &Gateway, prior: Option<&str>, name: &str) -> bool {
        plan(gateway, prior, name, &mut Private::default()).is_err()
    }

    fn is_new(gateway: &Gateway, planned: &Connection) -> bool {
        check(gateway, None, planned, &mut Private::default()).is_ok()
    }

    /// Plans what is in the state with this id. Returns whether that says nothing.
    fn stays(gateway: &Gateway, id: &str) -> bool {
        let state = Connection { id: agent(id), ..named(NAME) };
        matches!(check(gateway, Some(&state), &state, &mut Private::default()), Ok(None))
    }

    #[test]
    fn a_second_block_of_a_name_is_told_in_whatever_order_the_plans_come() {
        let both_new = gateway();
        assert!(is_new(&both_new, &through(agent("1"))) && !is_new(&both_new, &through(agent("2"))));
        assert!(is_new(&both_new, &through(agent("1"))), "the first is planned again");
        assert!(!is_taken(&both_new, None, "b-ro"));
        let held_first = gateway();
        assert!(!is_taken(&held_first, Some(NAME), NAME) && is_taken(&held_first, None, NAME));
        let new_first = gateway();
        assert!(!is_taken(&new_first, None, NAME) && is_taken(&new_first, Some(NAME), NAME));
    }

    #[test]
    fn what_the_apply_knows_better_is_the_same_block() {
        let gateway = gateway();
        let tags = |team: &str| Attr::Known(BTreeMap::from([("team".to_owned(), team.to_owned())]));
        let planned = |id: Attr<String>, team: &str| Connection { tags: tags(team), ..through(id) };
        assert!(is_new(&gateway, &planned(Attr::Unknown, "red")) && is_new(&gateway, &planned(agent("1"), "red")));
        for other in [planned(agent("2"), "red"), planned(agent("1"), "blue"), through(agent("1"))] {
            assert!(!is_new(&gateway, &other));
        }
    }

    #[test]
    fn one_process_plans_makes_and_deletes_a_connection_again_and_again() {
        let gateway = gateway();
        for id in ["1", "2", "3"] {
            assert!(is_new(&gateway, &through(Attr::Unknown)), "the plan of {id}");
            assert!(is_new(&gateway, &through(agent("7"))), "the apply of {id}");
            making(&gateway, NAME).unwrap();
            made(&gateway, NAME, id);
            refreshed(&gateway, NAME, true);
            assert!(stays(&gateway, id) && stays(&gateway, id));
            made(&gateway, NAME, id);
            assert!(stays(&gateway, id));
            assert!(gateway.remember(Made::Claimed, NAME), "another delete is in the way of that of {id}");
            deleted(&gateway, NAME, Some(id));
        }
    }

    #[test]
    fn of_two_equal_blocks_one_is_made() {
        let gateway = gateway();
        assert!(is_new(&gateway, &named(NAME)) && is_new(&gateway, &named(NAME)));
        making(&gateway, NAME).unwrap();
        assert!(making(&gateway, NAME).is_err());
        made(&gateway, NAME, "1");
        assert!(is_new(&gateway, &named(NAME)) && making(&gateway, NAME).is_err());
    }

    #[test]
    fn one_that_waits_for_a_delete_is_still_the_only_one_to_be_made() {
        let gateway = gateway();
        assert!(gateway.remember(Made::Claimed, NAME));
        making(&gateway, NAME).unwrap();
        assert!(!claim(&gateway, NAME, "1"));
        deleted(&gateway, NAME, Some("1"));
        assert!(making(&gateway, NAME).is_err());
        assert!(!claim(&gateway, NAME, "1"), "what was looked at before it was deleted is not taken over");
        assert!(claim(&gateway, NAME, "2"));
    }

    #[test]
    fn what_was_taken_over_or_is_gone_is_free_after_the_next_refresh() {
        let gateway = gateway();
        making(&gateway, NAME).unwrap();
        assert!(claim(&gateway, NAME, "1"));
        made(&gateway, NAME, "1");
        refreshed(&gateway, NAME, true);
        assert!(!gateway.remembers(Made::Claimed, NAME) && making(&gateway, NAME).is_err());
        refreshed(&gateway, NAME, false);
        making(&gateway, NAME).unwrap();
    }

    #[test]
    fn an_object_that_is_replaced_is_not_in_its_own_way() {
        let forced = gateway();
        making(&forced, NAME).unwrap();
        made(&forced, NAME, "1");
        let mut private = Private::default();
        plan(&forced, Some(NAME), NAME, &mut private).unwrap();
        plan(&forced, None, NAME, &mut private).unwrap();
        assert!(!is_taken(&forced, None, NAME), "the apply plans it without the private state");
        making(&forced, NAME).unwrap();
        let renamed = gateway();
        for prior in [Some(NAME), None] {
            assert!(!is_taken(&renamed, prior, "b-ro"));
        }
        assert!(!is_taken(&renamed, Some("b-ro"), NAME) && !is_taken(&renamed, None, NAME), "two names change places");
    }

    #[test]
    fn an_entry_of_an_earlier_name_hides_no_second_block() {
        let gateway = gateway();
        let mut private = Private::default();
        plan(&gateway, Some(NAME), NAME, &mut private).unwrap();
        plan(&gateway, Some("b-ro"), "b-ro", &mut Private::default()).unwrap();
        plan(&gateway, Some(NAME), "b-ro", &mut private).unwrap();
        assert!(plan(&gateway, None, "b-ro", &mut private).is_err());
    }

    #[test]
    fn two_that_hold_one_already_are_warned() {
        let gateway = gateway();
        let warned = [(); 2].map(|()| plan(&gateway, Some(NAME), NAME, &mut Private::default()).unwrap().is_some());
        assert_eq!(warned, [false, true]);
    }
}
