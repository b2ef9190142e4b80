//! A difference between what is and what should be: the words for people and the statements that end it, side by side,
//! so that what a plan shows and what apply sends cannot drift apart.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::quote::Sql;
use super::reach::Actor;
use crate::access::Missing;

/// A statement, and for whom it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Whose rights it needs
    pub(super) actor: Actor,
    /// What to send
    pub(super) sql: Sql,
}

impl Step {
    /// A statement that the administrator may run as it is.
    pub(super) fn mine(sql: Sql) -> Self {
        Self { actor: Actor::me(), sql }
    }
}

/// When something is taken back, within one change. A role can take back only what it gave, while it still may give and
/// can get at the object: what was passed on goes before the right to pass it on, what is furthest from the owner first,
/// and what is in a schema before the schema. The server's CASCADE alone does not do: it spares what was passed on while
/// the one who did so may still give through a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// The right to give, for somebody who has lost it and has to take back what he gave
    Restored,
    /// Inside a schema, by somebody who has it from others
    PassedOn(Reverse<usize>),
    /// Inside a schema, by the owner
    Given,
    /// A schema or a database, by somebody who has it from others
    EntrancePassedOn(Reverse<usize>),
    /// A schema or a database, by its owner
    Entrance,
}

/// What differs in one place.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// What `steps` repair
    pub(super) gaps: Gaps,
    /// What nothing of ours repairs
    pub(super) uncovered: Gaps,
    /// Statements that give, to be run in this order
    pub(super) steps: Vec<Step>,
    /// Statements that take back, after those, each in its turn
    pub(super) taken: Vec<(Turn, Step)>,
}

impl Difference {
    /// What can be repaired, what cannot, and the statements.
    pub(super) fn into_parts(mut self) -> (Vec<Missing>, Vec<Missing>, Vec<Step>) {
        self.taken.sort_by_key(|(turn, _)| *turn);
        self.steps.extend(self.taken.into_iter().map(|(_, step)| step));
        (self.gaps.into_missing(), self.uncovered.into_missing(), self.steps)
    }

    /// All statements: first what is missing, so that nobody is without a right that he had.
    pub(super) fn into_steps(self) -> Vec<Step> {
        self.into_parts().2
    }
}

/// Gaps in words, grouped by what is missing on which kind of object.
#[derive(Debug, Default)]
pub(super) struct Gaps(BTreeMap<(String, String), BTreeSet<String>>);

impl Gaps {
    /// A gap on one object; gaps in the same words are shown together.
    pub(super) fn on(&mut self, what: impl Into<String>, noun: &str, name: impl Into<String>) {
        self.0.entry((what.into(), noun.to_owned())).or_default().insert(name.into());
    }

    /// A gap without an object.
    pub(super) fn plain(&mut self, what: impl Into<String>) {
        self.0.entry((what.into(), String::new())).or_default();
    }

    /// For the contract.
    pub(super) fn into_missing(self) -> Vec<Missing> {
        let missing = |((what, noun), names): ((String, String), BTreeSet<String>)| Missing {
            what,
            noun,
            names: names.into_iter().collect(),
        };
        self.0.into_iter().map(missing).collect()
    }
}
