//! The declaration of one attribute: everything that schema, validation, plan and documentation need to know of it.

use std::fmt;
use std::sync::Arc;

use crate::value::{Path, Type, Value};

use super::kind::Kind;

/// What an attribute holds.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A value of a plain type
    Plain(Type),
    /// Objects with attributes of their own
    Nested(Nesting, Vec<Attribute>),
}

impl Shape {
    /// The type on the wire.
    pub fn wire_type(&self) -> Type {
        match self {
            Self::Plain(kind) => kind.clone(),
            Self::Nested(nesting, attributes) => {
                let object = object_type(attributes);
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Set => Type::set(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}

/// The object type of a list of attributes.
pub fn object_type(attributes: &[Attribute]) -> Type {
    Type::object(attributes.iter().map(|a| (a.name, a.shape.wire_type())))
}

/// How nested objects are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// One object
    Single,
    /// A list of objects
    List,
    /// A set of objects
    Set,
    /// Objects by name
    Map,
}

/// A rule for known values, in words and as a function.
#[derive(Clone)]
pub struct Check {
    /// What is expected, as it stands in the documentation: `between 8 and 128`
    pub expected: String,
    holds: Arc<dyn Fn(&Value) -> bool + Send + Sync>,
}

impl Check {
    /// Whether a known value follows the rule.
    pub fn holds(&self, value: &Value) -> bool {
        (self.holds)(value)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expected)
    }
}

/// How an attribute is used. Built by [`required`], [`optional`] and [`computed`].
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// Must be set
    pub required: bool,
    /// May be set
    pub optional: bool,
    /// The provider sets it
    pub computed: bool,
    /// The user interface hides it
    pub sensitive: bool,
    /// Never kept in plan or state
    pub write_only: bool,
    /// A change makes a new object
    pub replace: bool,
    /// Value when it is not set
    pub default: Option<Value>,
    /// Default in words, where it is no constant
    pub default_words: Option<&'static str>,
    /// What to use instead
    pub deprecated: Option<&'static str>,
    /// Rules for known values
    pub checks: Vec<Check>,
}

/// An argument that must be set.
pub fn required() -> Flags {
    Flags { required: true, ..Flags::default() }
}

/// An argument that may be set.
pub fn optional() -> Flags {
    Flags { optional: true, ..Flags::default() }
}

/// A result that only the provider sets.
pub fn computed() -> Flags {
    Flags { computed: true, ..Flags::default() }
}

impl Flags {
    /// Also set by the provider when the user leaves it out.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// A change makes a new object.
    #[must_use]
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }

    /// Hidden by the user interface.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Never kept in plan or state.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// The value when it is not set.
    #[must_use]
    pub fn defaults_to(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// The default in words, where it is no constant.
    #[must_use]
    pub fn default_words(mut self, words: &'static str) -> Self {
        self.default_words = Some(words);
        self
    }

    /// Still taken, with a warning that says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, instead: &'static str) -> Self {
        self.deprecated = Some(instead);
        self
    }

    /// A rule for known values.
    #[must_use]
    pub fn check(
        mut self,
        expected: impl Into<String>,
        holds: impl Fn(&Value) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.checks.push(Check { expected: expected.into(), holds: Arc::new(holds) });
        self
    }

    /// A number in a range, both ends included.
    #[must_use]
    pub fn between(self, least: i64, most: i64) -> Self {
        self.check(format!("between {least} and {most}"), move |value| match value {
            Value::Number(number) => number.to_i64().is_some_and(|n| (least..=most).contains(&n)),
            _ => true,
        })
    }

    /// A text, list, set or map that is not empty.
    #[must_use]
    pub fn not_empty(self) -> Self {
        self.check("not empty", |value| match value {
            Value::String(text) => !text.is_empty(),
            Value::List(elements) => !elements.is_empty(),
            Value::Set(elements) => !elements.is_empty(),
            Value::Map(elements) => !elements.is_empty(),
            _ => true,
        })
    }

    /// One of some words.
    #[must_use]
    pub fn one_of(self, words: &'static [&'static str]) -> Self {
        let listed = words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
        self.check(format!("one of {listed}"), move |value| match value {
            Value::String(text) => words.contains(&text.as_str()),
            _ => true,
        })
    }
}

/// One attribute of an object, declared once.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Name in HCL
    pub name: &'static str,
    /// What it is for, Markdown
    pub doc: String,
    /// What it holds
    pub shape: Shape,
    /// The words it may hold, when its type is an enumeration
    pub words: Vec<&'static str>,
    /// How it is used
    pub flags: Flags,
}

impl Attribute {
    /// Declares an attribute of a type.
    pub fn declare<K: Kind>(name: &'static str, doc_lines: &[&str], flags: Flags) -> Self {
        let sensitive = flags.sensitive || K::SENSITIVE;
        Self {
            name,
            doc: join_doc(doc_lines),
            shape: K::shape(),
            words: K::words(),
            flags: Flags { sensitive, ..flags },
        }
    }

    /// The nested attributes, if there are any.
    pub fn nested(&self) -> &[Attribute] {
        match &self.shape {
            Shape::Nested(_, attributes) => attributes,
            Shape::Plain(_) => &[],
        }
    }
}

/// Doc comments come line by line with a leading space.
pub fn join_doc(lines: &[&str]) -> String {
    let trimmed: Vec<&str> = lines.iter().map(|l| l.strip_prefix(' ').unwrap_or(l)).collect();
    trimmed.join("\n").trim().to_owned()
}

/// Walks the attributes of an object, nested ones included, with their values. Elements of sets have the set's path.
pub fn walk<'v>(
    attributes: &[Attribute],
    object: &'v Value,
    at: &Path,
    visit: &mut dyn FnMut(&Attribute, &'v Value, &Path),
) {
    for attribute in attributes {
        let value = object.attribute(attribute.name);
        let path = at.field(attribute.name);
        visit(attribute, value, &path);
        match (&attribute.shape, value) {
            (Shape::Nested(Nesting::Single, nested), Value::Object(_)) => walk(nested, value, &path, visit),
            (Shape::Nested(_, nested), Value::List(elements)) => {
                for (index, element) in elements.iter().enumerate() {
                    walk(nested, element, &path.index(index), visit);
                }
            }
            (Shape::Nested(_, nested), Value::Set(elements)) => {
                for element in elements {
                    walk(nested, element, &path, visit);
                }
            }
            (Shape::Nested(_, nested), Value::Map(elements)) => {
                for (key, element) in elements {
                    walk(nested, element, &path.key(key), visit);
                }
            }
            _ => {}
        }
    }
}
