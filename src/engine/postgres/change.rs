//! A difference between what is and what should be: the words for people and the statements that end it, side by side,
//! so that what a plan shows and what apply sends cannot drift apart.

use std::collections::{BTreeMap, BTreeSet};

use super::quote::Sql;
use super::reach::Actor;
use crate::access::{Gap, Missing};

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

/// What differs in one place.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// What `steps` repair
    pub(super) gaps: Gaps,
    /// What nothing of ours repairs
    pub(super) uncovered: Gaps,
    /// Statements that give, to be run in this order
    pub(super) steps: Vec<Step>,
    /// Statements that take back, after those
    pub(super) taken: Vec<Step>,
}

impl Difference {
    /// What can be repaired, what cannot, and the statements.
    pub(super) fn into_parts(self) -> (Vec<Missing>, Vec<Missing>, Vec<Step>) {
        (self.gaps.into_missing(), self.uncovered.into_missing(), [self.steps, self.taken].concat())
    }

    /// All statements: first what is missing, so that nobody is without a right that he had.
    pub(super) fn into_steps(self) -> Vec<Step> {
        self.into_parts().2
    }
}

/// Gaps in words, grouped by what is missing on which kind of object.
#[derive(Debug, Default)]
pub(super) struct Gaps(BTreeMap<(String, String), (Gap, BTreeSet<String>)>);

impl Gaps {
    /// Something beyond what is wanted, on one object; gaps in the same words are shown together.
    pub(super) fn on(&mut self, what: impl Into<String>, noun: &str, name: impl Into<String>) {
        self.entry(what.into(), noun, Gap::Exceeds).insert(name.into());
    }

    /// Something that is lacking, on one object.
    pub(super) fn lacking_on(&mut self, what: impl Into<String>, noun: &str, name: impl Into<String>) {
        self.entry(what.into(), noun, Gap::Lacks).insert(name.into());
    }

    /// Something beyond what is wanted, without an object.
    pub(super) fn plain(&mut self, what: impl Into<String>) {
        self.entry(what.into(), "", Gap::Exceeds);
    }

    /// Something that is lacking, without an object.
    pub(super) fn lacking(&mut self, what: impl Into<String>) {
        self.entry(what.into(), "", Gap::Lacks);
    }

    /// A bound of later logins that differs.
    pub(super) fn of_terms(&mut self, what: impl Into<String>) {
        self.entry(what.into(), "", Gap::Terms);
    }

    fn entry(&mut self, what: String, noun: &str, gap: Gap) -> &mut BTreeSet<String> {
        &mut self.0.entry((what, noun.to_owned())).or_insert_with(|| (gap, BTreeSet::new())).1
    }

    /// For the contract.
    pub(super) fn into_missing(self) -> Vec<Missing> {
        let missing = |((what, noun), (gap, names))| {
            let names: BTreeSet<String> = names;
            Missing { what, noun, names: names.into_iter().collect(), gap }
        };
        self.0.into_iter().map(missing).collect()
    }
}
