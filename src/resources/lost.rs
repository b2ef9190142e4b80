//! Objects in an account that is out of reach for good: a refresh keeps them, and a plan asks nothing of them.

use crate::context::Context;
use crate::report::Report;
use crate::schema::{Change, Private, Reading, Reports};

/// Private entry: when the last refresh found the account suspended, closed or gone.
const LOST: &str = "account_lost";

/// Begins a refresh: whether the account is there is found out anew.
pub(super) fn forget(private: &mut Private) {
    private.remove(LOST);
}

/// Ends a refresh that keeps the prior state.
pub(super) fn keep<M>(context: &Context, reading: &mut Reading<M>, reports: Reports) {
    if context.is_lost(&reports) {
        let now = context.timestamp();
        context.has_found_lost(&now);
        reading.private.set(LOST, now);
    }
    reading.warnings.extend(context.warnings(reports));
}

/// Whether there is nothing to plan: the account is lost and nobody asks for a change. What was wrong with the object
/// before cannot be repaired any more. Without a refresh in this run the account may be back, so the plan says what it
/// goes by.
pub(super) fn rests<M: PartialEq>(context: &Context, change: &mut Change<M>) -> bool {
    let rests = is_at_rest(&change.private, change.prior.as_ref(), &change.planned);
    if rests {
        change.warnings.extend(hearsay(context, &change.private));
    }
    rests
}

/// What a plan says that goes by what an earlier run has found.
fn hearsay(context: &Context, private: &Private) -> Option<Report> {
    let since = private.get(LOST).filter(|since| !context.is_found_lost(since))?;
    // Entries of before the time was noted hold another word.
    let since =
        if since.parse::<jiff::Timestamp>().is_ok() { format!("at {since}") } else { "in an earlier run".to_owned() };
    Some(Report::warning(
        "Nothing was planned for an account that was lost",
        format!(
            "A refresh found {since} that the account of this object is suspended, closed or no longer in the \
             organization. This plan looked at nothing, so it plans nothing: no repair, and no rotation that is due.\n\n\
             If the account is open again, plan with a refresh: without `-refresh=false`."
        ),
    ))
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
    fn a_plan_without_a_refresh_says_since_when_it_takes_the_account_for_lost() {
        let context = Context::with_clock(crate::context::Clock::default());
        let mut private = Private::default();
        assert_eq!(hearsay(&context, &private), None);
        private.set(LOST, "2026-03-01T10:00:00Z");
        let detail = hearsay(&context, &private).unwrap().detail;
        assert!(detail.contains("found at 2026-03-01T10:00:00Z") && detail.contains("no rotation"), "{detail}");
        context.has_found_lost("2026-03-01T10:00:00Z");
        assert_eq!(hearsay(&context, &private), None, "the refresh of this run has said it");
        private.set(LOST, "true");
        assert!(hearsay(&context, &private).unwrap().detail.contains("found in an earlier run that"));
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
