//! Two blocks with one name: the gateway has one connection of a name, so the second block would take over what the first
//! has made, and destroying either would remove both.
//!
//! The provider does not see addresses. It sees that within one run a connection is planned twice as new, or once as new
//! and once as there already; both plans note themselves before they look, so that one of two at the same time is told.

use crate::gateway::{Gateway, Made};
use crate::report::Report;
use crate::schema::Private;

use super::error::Error;
use super::model::Connection;

/// Private entry of a connection that was planned as there already. Only when Terraform replaces an object, the plan of the
/// new one begins with the private state that the plan of the old one has left.
const PLANNED: &str = "planned";

/// Checks that no other block of the run has the name of this one. Returns what to warn of.
pub(super) fn check(
    gateway: &Gateway,
    prior: Option<&Connection>,
    planned: &Connection,
    private: &mut Private,
) -> Result<Option<Report>, Error> {
    let Some(name) = planned.name.get() else { return Ok(None) };
    let mut warning = None;
    let taken = match prior {
        Some(prior) if prior.name == planned.name => {
            private.set(PLANNED, "true");
            warning = (!gateway.remember(Made::PlannedHeld, name)).then(|| held_twice(name));
            gateway.remembers(Made::PlannedNew, name)
        }
        // Terraform asks again for the new object.
        Some(_) => false,
        None => {
            let is_first = gateway.remember(Made::PlannedNew, name);
            let replaces = private.get(PLANNED).is_some();
            !is_first || (!replaces && gateway.remembers(Made::PlannedHeld, name))
        }
    };
    if taken { Err(Error::SameName { name: name.clone() }) } else { Ok(warning) }
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
    use std::sync::Arc;

    use super::*;
    use crate::gateway::{Retry, Settings, Token};

    fn gateway() -> Gateway {
        let url = "https://hoop.example.com".parse().unwrap();
        let token = Token::new(&"hpk_hunter2".into()).unwrap();
        Gateway::new(Settings::new(url, token, Retry::new(Arc::new(|| 0))))
    }

    fn named(name: &str) -> Connection {
        Connection { name: name.to_owned().into(), ..Connection::default() }
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

    #[test]
    fn a_second_block_of_a_name_is_told_in_whatever_order_the_plans_come() {
        let both_new = gateway();
        assert_eq!([(); 2].map(|()| is_taken(&both_new, None, "a-ro")), [false, true]);
        assert!(!is_taken(&both_new, None, "b-ro"));
        let held_first = gateway();
        assert!(!is_taken(&held_first, Some("a-ro"), "a-ro") && is_taken(&held_first, None, "a-ro"));
        let new_first = gateway();
        assert!(!is_taken(&new_first, None, "a-ro") && is_taken(&new_first, Some("a-ro"), "a-ro"));
    }

    #[test]
    fn an_object_that_is_replaced_is_not_in_its_own_way() {
        let forced = gateway();
        let mut private = Private::default();
        plan(&forced, Some("a-ro"), "a-ro", &mut private).unwrap();
        plan(&forced, None, "a-ro", &mut private).unwrap();
        let renamed = gateway();
        for prior in [Some("a-ro"), None] {
            assert!(!is_taken(&renamed, prior, "b-ro"));
        }
        assert!(
            !is_taken(&renamed, Some("b-ro"), "a-ro") && !is_taken(&renamed, None, "a-ro"),
            "two names change places"
        );
    }

    #[test]
    fn two_that_hold_one_already_are_warned() {
        let gateway = gateway();
        let warned = [(); 2].map(|()| plan(&gateway, Some("a-ro"), "a-ro", &mut Private::default()).unwrap().is_some());
        assert_eq!(warned, [false, true]);
    }
}
