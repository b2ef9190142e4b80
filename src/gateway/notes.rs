//! What one process notes of the gateway's objects. Most processes live for one plan or one apply; that of `terraform test`
//! lives for several of both.

use std::collections::BTreeMap;

use crate::value::Value;

/// What this process notes of a gateway object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Made {
    /// A connection that it makes, takes over or changes. Its id, as soon as it is known
    Connection,
    /// A connection that was there, and that one object of this run takes over or destroys
    Claimed,
    /// The last connection of a name that was deleted, by its id
    Deleted,
    /// A connection that a plan creates, with what was planned
    PlannedNew,
    /// The connection that a plan creates replaces one of the same object
    Replacing,
    /// A connection that a plan keeps or changes
    PlannedHeld,
    /// A connection of a state that somebody else was found to manage
    ByOthers,
    /// The resource that holds connections together, made along with one of ours
    Resource,
    /// A resource that stays, and a warning has said so
    Leftover,
}

/// The notes, by kind and name.
#[derive(Debug, Default)]
pub struct Notes(BTreeMap<(Made, String), Value>);

impl Notes {
    /// Adds a note without further content. Returns whether there was none; one that is there keeps its content.
    pub fn add(&mut self, what: Made, name: &str) -> bool {
        let is_new = !self.has(what, name);
        if is_new {
            self.set(what, name, Value::Null);
        }
        is_new
    }

    /// Adds a note with this content, or gives it to the one that is there.
    pub fn set(&mut self, what: Made, name: &str, content: Value) {
        self.0.insert((what, name.to_owned()), content);
    }

    /// The content of a note.
    pub fn get(&self, what: Made, name: &str) -> Option<&Value> {
        self.0.get(&(what, name.to_owned()))
    }

    /// Whether there is such a note.
    pub fn has(&self, what: Made, name: &str) -> bool {
        self.get(what, name).is_some()
    }

    /// Whether there is such a note with this text.
    pub fn says(&self, what: Made, name: &str, text: &str) -> bool {
        matches!(self.get(what, name), Some(Value::String(noted)) if noted == text)
    }

    /// Forgets notes of these kinds.
    pub fn forget(&mut self, kinds: &[Made], name: &str) {
        for what in kinds {
            self.0.remove(&(*what, name.to_owned()));
        }
    }
}
