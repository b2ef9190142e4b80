//! What a refresh saw on a connection that no attribute shows: the tags of others, and whether anybody reviews its sessions.
//! Private state keeps it, so that a plan can judge what its change leads to without asking the gateway.

use std::collections::BTreeSet;

use crate::access::list_names;
use crate::gateway::{self, MANAGED_TAG, MOST_TAGS};
use crate::report::Report;
use crate::schema::{Attr, Change, Private};
use crate::value::Path;

use super::imported::Unclaimed;
use super::model::Connection;
use super::rules::OUR_TAGS;
use super::spec::forgotten_tags;

/// Private entry with the keys of every tag.
const TAGS: &str = "seen_tags";
/// Private entry that says that the connection had no reviewers.
const NO_REVIEWERS: &str = "seen_no_reviewers";

/// Private entry that says that the connection has had our mark.
const MARKED: &str = "seen_mark";

/// The connection has our mark from now on.
pub(super) fn mark(private: &mut Private) {
    private.set(MARKED, "true");
}

/// Somebody took our mark away: no attribute shows it, so a warning does. A connection that was imported without it has
/// lost nothing.
pub(super) fn lost_mark(private: &mut Private, found: &gateway::Connection) -> Option<Report> {
    if found.is_ours() {
        mark(private);
        return None;
    }
    private.get(MARKED).filter(|_| found.managed_by.is_none())?;
    Some(Report::warning(
        "The gateway connection has lost its mark",
        format!(
            "Somebody took the tag `{MANAGED_TAG}` from connection `{}`. Without it an interrupted run cannot find its own \
             connections again, and their names count as taken. The next change of the connection puts it back; by hand its \
             value is `true`.",
            found.name
        ),
    ))
}

/// Keeps it for the plan.
pub(super) fn remember(private: &mut Private, found: &gateway::Connection) {
    private.set(TAGS, found.tags.keys().map(String::as_str).collect::<Vec<_>>().join(","));
    match found.reviewers.is_empty() {
        true => private.set(NO_REVIEWERS, "true"),
        false => private.remove(NO_REVIEWERS),
    }
}

/// The gateway counts the tags of others too, and they stay.
pub(super) fn too_many_tags(change: &Change<Connection>) -> Option<Report> {
    let prior = change.prior.as_ref().filter(|prior| **prior != change.planned && !change.planned.tags.is_unknown())?;
    let forgotten = forgotten_tags(&change.planned, Some(prior), &Unclaimed::of(&change.private));
    let configured: BTreeSet<&str> =
        change.planned.tags.get().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let seen = change.private.get(TAGS).unwrap_or_default().split(',').filter(|key| !key.is_empty());
    let stays = |key: &&str| !OUR_TAGS.contains(key) && !configured.contains(key) && !forgotten.contains(*key);
    let foreign: BTreeSet<&str> = seen.filter(stays).collect();
    let count = OUR_TAGS.len() + configured.len() + foreign.len();
    (count > MOST_TAGS && !foreign.is_empty()).then(|| {
        let detail = format!(
            "Connection `{}` would have {count} tags, and the gateway takes {MOST_TAGS}: {} are the provider's own ({}), {} \
             stand in `tags`, and {} are those of others, which stay ({}). Take some out of `tags`, or remove some of the \
             others in the gateway.",
            prior.name.get().map_or("", String::as_str),
            OUR_TAGS.len(),
            OUR_TAGS.join(", "),
            configured.len(),
            foreign.len(),
            list_names(&foreign.iter().collect::<Vec<_>>()),
        );
        Report::error("Too many tags", detail).at(Path::attribute("tags"))
    })
}

/// The gateway looks at these settings only when it asks the reviewers.
pub(super) fn unreviewed(change: &Change<Connection>) -> Option<Report> {
    let planned = &change.planned;
    let is_filled = |groups: &Attr<BTreeSet<String>>| groups.get().is_some_and(|groups| !groups.is_empty());
    let settings: Vec<&str> = [
        ("access_max_duration", planned.access_max_duration.is_known()),
        ("force_approve_groups", is_filled(&planned.force_approve_groups)),
        ("min_review_approvals", planned.min_review_approvals.is_known()),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
    .collect();
    let first = *settings.first()?;
    lacks_reviewers(change).then(|| {
        let detail = format!(
            "Connection `{}` has no `reviewers`, and sets {}. The gateway looks at that only when a session needs a review, so \
             here it does nothing: sessions start without approval and end when their user ends them. Add `reviewers`, or \
             leave it out. Access request rules of the gateway have such settings of their own.",
            planned.name.get().map_or("", String::as_str),
            settings.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        );
        Report::warning("Settings for reviews, and nobody reviews", detail).at(Path::attribute(first))
    })
}

/// Whether the connection is known to have no reviewers after the change. Left out, those that others set stay.
fn lacks_reviewers(change: &Change<Connection>) -> bool {
    let is_cleared =
        |prior: &Connection| prior.reviewers.is_known() && !Unclaimed::of(&change.private).has("reviewers");
    match (&change.planned.reviewers, &change.prior) {
        (Attr::Known(groups), _) => groups.is_empty(),
        (Attr::Unknown, _) => false,
        (Attr::Null, None) => true,
        (Attr::Null, Some(prior)) => is_cleared(prior) || change.private.get(NO_REVIEWERS).is_some(),
    }
}
