//! Typed models: a struct per object, declared together with its attributes.

use std::collections::BTreeMap;

use crate::report::Report;
use crate::value::{Path, Value};

use super::attr::Attr;
use super::attribute::Attribute;
use super::kind::Kind;

/// A struct whose fields are the attributes of an object. Made by [`model!`](crate::model).
pub trait Model: Clone + PartialEq + Default + Send + Sync + 'static {
    /// What the object is for, Markdown.
    const DOC: &'static [&'static str];

    /// The declarations, in the order they were written.
    fn attributes() -> Vec<Attribute>;

    /// Reads the fields of a known object. What does not fit is reported and reads as null.
    fn from_fields(object: &Value, at: &Path, problems: &mut Vec<Report>) -> Self;

    /// The fields as values.
    fn fields(&self) -> BTreeMap<String, Value>;

    /// The fields as values, made out of the model.
    fn into_fields(self) -> BTreeMap<String, Value>;

    /// The object as a value.
    fn to_value(&self) -> Value {
        Value::Object(self.fields())
    }
}

/// Reads a model; null and unknown objects give the default (all null).
pub fn decode_object<M: Model>(object: &Value, at: &Path, problems: &mut Vec<Report>) -> M {
    M::from_fields(object, at, problems)
}

/// Reads a model from a whole object.
///
/// # Errors
/// Everything that does not fit, with its path.
pub fn decode<M: Model>(object: &Value) -> Result<M, Vec<Report>> {
    let mut problems = Vec::new();
    let model = decode_object(object, &Path::root(), &mut problems);
    if problems.is_empty() { Ok(model) } else { Err(problems) }
}

/// Reads one field; used by [`model!`](crate::model).
pub fn decode_field<K: Kind>(object: &Value, name: &str, at: &Path, problems: &mut Vec<Report>) -> Attr<K> {
    match object.attribute(name) {
        Value::Null => Attr::Null,
        Value::Unknown(_) => Attr::Unknown,
        known => {
            let before = problems.len();
            match K::decode(known, &at.field(name), problems) {
                Some(value) => Attr::Known(value),
                None if problems.len() == before => Attr::Unknown,
                None => Attr::Null,
            }
        }
    }
}

/// Writes one field; used by [`model!`](crate::model).
pub fn encode_field<K: Kind>(attr: &Attr<K>) -> Value {
    match attr {
        Attr::Null => Value::Null,
        Attr::Unknown => Value::unknown(),
        Attr::Known(value) => value.encode(),
    }
}

/// Makes a value out of one field; used by [`model!`](crate::model).
pub fn field_into_value<K: Kind>(attr: Attr<K>) -> Value {
    match attr {
        Attr::Null => Value::Null,
        Attr::Unknown => Value::unknown(),
        Attr::Known(value) => value.into_value(),
    }
}

/// Carries typed changes over to a raw object: a field that the typed code did not change keeps its raw value, with its
/// notation (`720h` stays `720h`) and its refinements.
pub fn overlay<M: Model>(raw: &Value, before: &M, after: &M) -> Value {
    keep_notation(raw, &before.fields(), after.fields())
}

/// As [`overlay`], made out of the new model.
pub(super) fn overlay_with<M: Model>(raw: &Value, before: &M, after: M) -> Value {
    keep_notation(raw, &before.fields(), after.into_fields())
}

fn keep_notation(raw: &Value, old: &BTreeMap<String, Value>, new: BTreeMap<String, Value>) -> Value {
    let kept = |(name, value): (String, Value)| {
        let value = if old.get(&name) == Some(&value) { raw.attribute(&name).clone() } else { value };
        (name, value)
    };
    Value::Object(new.into_iter().map(kept).collect())
}

/// Declares a model: a struct, its attributes with documentation, and the conversion between both.
///
/// ```ignore
/// model! {
///     /// What the object is for.
///     pub struct Example {
///         /// The database.
///         target_arn: Arn = required().replace(),
///     }
/// }
/// ```
#[macro_export]
macro_rules! model {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($extra:ident),*)])?
        $vis:vis struct $name:ident {
            $($(#[doc = $field_doc:literal])* $field:ident: $kind:ty = $flags:expr,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Default $(, $($extra),*)?)]
        $vis struct $name {
            $($(#[doc = $field_doc])* pub $field: $crate::schema::Attr<$kind>,)*
        }

        impl $crate::schema::Model for $name {
            const DOC: &'static [&'static str] = &[$($doc),*];

            fn attributes() -> Vec<$crate::schema::Attribute> {
                #[allow(unused_imports, reason = "not every model has attributes of each use")]
                use $crate::schema::{computed, optional, required};
                vec![$($crate::schema::Attribute::declare::<$kind>(stringify!($field), &[$($field_doc),*], $flags)),*]
            }

            fn from_fields(
                object: &$crate::value::Value,
                at: &$crate::value::Path,
                problems: &mut Vec<$crate::report::Report>,
            ) -> Self {
                Self { $($field: $crate::schema::decode_field(object, stringify!($field), at, problems)),* }
            }

            fn fields(&self) -> std::collections::BTreeMap<String, $crate::value::Value> {
                std::collections::BTreeMap::from([
                    $((stringify!($field).to_owned(), $crate::schema::encode_field(&self.$field))),*
                ])
            }

            fn into_fields(self) -> std::collections::BTreeMap<String, $crate::value::Value> {
                std::collections::BTreeMap::from([
                    $((stringify!($field).to_owned(), $crate::schema::field_into_value(self.$field))),*
                ])
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::access::Region;

    model! {
        /// Holds others.
        struct Outer {
            /// Text.
            name: String = required(),
            /// Others.
            inner: BTreeMap<String, Inner> = computed(),
            /// Others in a row.
            row: Vec<Inner> = computed(),
        }
    }

    model! {
        /// Is held.
        struct Inner {
            /// Parsed.
            region: Region = computed(),
            /// Set.
            groups: BTreeSet<String> = computed(),
            /// Not known.
            size: i64 = computed(),
        }
    }

    #[test]
    fn a_value_made_out_of_a_model_is_that_of_the_model() {
        let inner = Inner {
            region: Attr::Known("eu-west-1".parse().unwrap()),
            groups: Attr::Known(BTreeSet::from(["b".to_owned(), "a".to_owned()])),
            size: Attr::Unknown,
        };
        let row = vec![Inner::default(), inner.clone()];
        let all = Outer {
            name: Attr::Known("all".to_owned()),
            inner: Attr::Known(BTreeMap::from([("one".to_owned(), inner)])),
            row: Attr::Known(row),
        };
        let (before, raw) = (Outer { inner: Attr::Null, ..all.clone() }, all.to_value());
        assert_eq!(all.clone().into_value(), all.encode());
        assert_eq!(overlay_with(&raw, &before, all.clone()), overlay(&raw, &before, &all));
    }
}
