//! The two logins of `two_users`: one name, one secret, the same rights; they take turns.

use crate::access::{Identifier, Invalid, Missing, RoleName};
use crate::engine::{Observed, Ownership};

/// What the name of the second login ends with.
const CLONE: &str = "_clone";

/// The second login of a role.
///
/// # Errors
/// The name would be too long for any engine.
pub(super) fn clone_name(name: &RoleName) -> Result<RoleName, Invalid> {
    format!("{}{CLONE}", name.as_str()).parse()
}

/// Both logins as one: the one whose turn it is must be there; the other is held to the same rights while it exists.
pub(super) fn merged(current: Observed, other: Observed, other_name: &RoleName) -> Observed {
    if other.ownership == Ownership::Absent {
        return current;
    }
    let mut both = current;
    both.notes.extend(other.notes);
    let named = |gap: Missing| Missing { what: format!("{other_name}: {}", gap.what), ..gap };
    both.login.extend(other.login.into_iter().map(named));
    for (database, gaps) in other.coverage.databases {
        both.coverage.databases.entry(database).or_default().extend(gaps.into_iter().map(named));
    }
    for (database, gaps) in other.uncovered.databases {
        let known = both.uncovered.databases.entry(database).or_default();
        let news: Vec<Missing> = gaps.into_iter().filter(|gap| !known.contains(gap)).map(named).collect();
        known.extend(news);
    }
    both
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::access::{Access, Auth, Coverage};

    fn observed(ownership: Ownership, gaps: &[&str]) -> Observed {
        let auth = Auth::Password;
        let gaps: Vec<Missing> = gaps.iter().map(|text| Missing::plain(*text)).collect();
        let in_app = |gaps: &[Missing]| Coverage { databases: [("app".to_owned(), gaps.to_vec())].into() };
        Observed {
            ownership,
            auth,
            login: gaps.clone(),
            coverage: in_app(&gaps),
            uncovered: in_app(&[Missing::plain("rights through PUBLIC")]),
            access: Access::ReadOnly,
            covered: BTreeSet::new(),
            default_database: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn gaps_of_the_other_login_carry_its_name() {
        let name = "hoop_ro_clone".parse().unwrap();
        let both = merged(observed(Ownership::Ours, &[]), observed(Ownership::Ours, &["login is disabled"]), &name);
        assert_eq!(both.login, [Missing::plain("hoop_ro_clone: login is disabled")]);
        assert_eq!(both.coverage.texts()["app"], "hoop_ro_clone: login is disabled");
        assert_eq!(both.uncovered.texts()["app"], "rights through PUBLIC", "what both lack is said once");
    }

    #[test]
    fn a_login_whose_turn_never_came_lacks_nothing() {
        let current = observed(Ownership::Ours, &["missing SELECT"]);
        let name = "hoop_ro_clone".parse().unwrap();
        assert_eq!(merged(current.clone(), observed(Ownership::Absent, &["role is missing"]), &name), current);
    }

    #[test]
    fn the_second_name_says_whose_it_is() {
        assert_eq!(clone_name(&"hoop_ro".parse().unwrap()).unwrap().as_str(), "hoop_ro_clone");
        assert!(clone_name(&"x".repeat(123).parse().unwrap()).is_err());
    }
}
