//! A value with null and unknown.

use std::collections::{BTreeMap, BTreeSet};

use super::{Number, Type};

/// What is known of an unknown value. Terraform enforces it when the value becomes known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refinement {
    /// `Some(false)`: it will not be null; `Some(true)`: it will be
    pub null: Option<bool>,
    /// What a string will begin with
    pub prefix: Option<String>,
    /// Least number, and whether it is included
    pub lower: Option<(Number, bool)>,
    /// Greatest number, and whether it is included
    pub upper: Option<(Number, bool)>,
    /// Least length of a collection
    pub shortest: Option<u64>,
    /// Greatest length of a collection
    pub longest: Option<u64>,
}

impl Refinement {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Any value that Terraform can send. Equality is equality of meaning: sets have no order, numbers no notation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Null of any type
    Null,
    /// Known after apply
    Unknown(Box<Refinement>),
    /// `true` or `false`
    Bool(bool),
    /// A number
    Number(Number),
    /// A text
    String(String),
    /// A list or tuple
    List(Vec<Value>),
    /// A set
    Set(BTreeSet<Value>),
    /// A map
    Map(BTreeMap<String, Value>),
    /// An object
    Object(BTreeMap<String, Value>),
    /// A value of an attribute without a fixed type, with its own type
    Dynamic(Box<DynamicValue>),
}

/// A value together with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicValue {
    /// The type
    pub kind: Type,
    /// The value
    pub value: Value,
}

impl PartialOrd for DynamicValue {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DynamicValue {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.value.cmp(&other.value).then_with(|| format!("{:?}", self.kind).cmp(&format!("{:?}", other.kind)))
    }
}

impl Value {
    /// Unknown without refinements.
    pub fn unknown() -> Self {
        Self::Unknown(Box::default())
    }

    /// A text.
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether this is unknown itself; its elements are not looked at.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether nothing in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Set(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Map(elements) | Self::Object(elements) => elements.values().all(Self::is_wholly_known),
            Self::Dynamic(dynamic) => dynamic.value.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The attributes of an object; `None` for everything else, null and unknown included.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Object(attributes) => Some(attributes),
            _ => None,
        }
    }

    /// An attribute of an object, null when the object is null or lacks it, unknown when the object is unknown.
    pub fn attribute(&self, name: &str) -> &Self {
        match self {
            Self::Object(attributes) => attributes.get(name).unwrap_or(&Self::Null),
            Self::Unknown(_) => self,
            _ => &Self::Null,
        }
    }

    /// The same value with null in place of everything unknown: what can be kept in state after a failed apply.
    #[must_use]
    pub fn without_unknowns(&self) -> Self {
        match self {
            Self::Unknown(_) => Self::Null,
            Self::List(elements) => Self::List(elements.iter().map(Self::without_unknowns).collect()),
            Self::Set(elements) => Self::Set(elements.iter().map(Self::without_unknowns).collect()),
            Self::Map(elements) => Self::Map(elements.iter().map(|(k, v)| (k.clone(), v.without_unknowns())).collect()),
            Self::Object(elements) => {
                Self::Object(elements.iter().map(|(k, v)| (k.clone(), v.without_unknowns())).collect())
            }
            Self::Dynamic(dynamic) => Self::Dynamic(Box::new(DynamicValue {
                kind: dynamic.kind.clone(),
                value: dynamic.value.without_unknowns(),
            })),
            known => known.clone(),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}
