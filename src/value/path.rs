//! Where a value stands inside an object.

use std::fmt;

/// One step down from an object or collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Attribute of an object
    Attribute(String),
    /// Element of a map
    Key(String),
    /// Element of a list or tuple
    Index(usize),
}

/// Steps from the outermost object; empty for the object itself. Elements of sets cannot be addressed: the path of the
/// set stands for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    steps: Vec<Step>,
}

impl Path {
    /// The outermost object.
    pub const fn root() -> Self {
        Self { steps: Vec::new() }
    }

    /// The path of a top-level attribute.
    pub fn attribute(name: &str) -> Self {
        Self::root().with(Step::Attribute(name.to_owned()))
    }

    /// One step further.
    #[must_use]
    pub fn with(&self, step: Step) -> Self {
        let mut steps = self.steps.clone();
        steps.push(step);
        Self { steps }
    }

    /// An attribute below this path.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.with(Step::Attribute(name.to_owned()))
    }

    /// A map element below this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// A list element below this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// The steps, outermost first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether this is the outermost object.
    pub fn is_root(&self) -> bool {
        self.steps.is_empty()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
