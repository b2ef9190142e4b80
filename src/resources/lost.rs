//! Objects in an account that is out of reach for good: a refresh keeps them, and a plan asks nothing of them.

use crate::context::Context;
use crate::schema::{Change, Private, Reading, Reports};

/// Private entry: the last refresh found the account suspended, closed or gone.
const LOST: &str = "account_lost";

/// Begins a refresh: whether the account is there is found out anew.
pub(super) fn forget(private: &mut Private) {
    private.remove(LOST);
}

/// Ends a refresh that keeps the prior state.
pub(super) fn keep<M>(context: &Context, reading: &mut Reading<M>, reports: Reports) {
    if context.is_lost(&reports) {
        reading.private.set(LOST, "true");
    }
    reading.warnings.extend(context.warnings(reports));
}

/// Whether there is nothing to plan: the account is lost and nobody asks for a change. What was wrong with the object
/// before cannot be repaired any more.
pub(super) fn rests<M: PartialEq>(change: &Change<M>) -> bool {
    is_at_rest(&change.private, change.prior.as_ref(), &change.planned)
}

fn is_at_rest<M: PartialEq>(private: &Private, prior: Option<&M>, planned: &M) -> bool {
    private.get(LOST).is_some() && prior == Some(planned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Reach, Report, Severity};

    #[test]
    fn nothing_is_planned_for_an_object_in_a_lost_account_unless_somebody_asks() {
        let mut private = Private::default();
        let rests = |private: &Private, prior: Option<u8>| is_at_rest(private, prior.as_ref(), &1);
        assert!(!rests(&private, Some(1)), "the account is there");
        private.set(LOST, "true");
        assert!(rests(&private, Some(1)));
        assert!(!rests(&private, Some(2)) && !rests(&private, None), "a change is refused by whoever makes it");
        forget(&mut private);
        assert!(!rests(&private, Some(1)), "it is back");
    }

    #[test]
    fn only_what_organizations_says_counts() {
        let context = Context::with_clock(crate::context::Clock::default());
        let report = |reach| Report { reach, severity: Severity::Error, ..Report::error("No", "No.") };
        for (reach, is_lost) in [(Reach::Leaving, true), (Reach::Strange, true), (Reach::OutOfReach, false)] {
            assert_eq!(context.is_lost(&report(reach).into()), is_lost, "{reach:?}");
        }
    }
}
