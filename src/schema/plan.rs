//! The generic part of a plan: what follows from the declarations alone. Resources add what only they know.
//!
//! The rules are those that Terraform enforces on a planned state: what is configured stays as configured, what is not
//! and is computed may be unknown, write-only arguments are null.

use std::collections::{BTreeMap, BTreeSet};

use crate::value::{Path, Value};

use super::attribute::{Attribute, Nesting, Shape};

/// Builds the planned state from what Terraform proposes.
///
/// On create (`prior` null) every computed attribute without configuration and default becomes unknown. On update it
/// keeps its prior value: a resource marks those as unknown that its change can move.
pub fn plan(attributes: &[Attribute], config: &Value, prior: &Value, proposed: &Value) -> Value {
    object(attributes, config, proposed, prior.is_null())
}

fn object(attributes: &[Attribute], config: &Value, proposed: &Value, create: bool) -> Value {
    Value::Object(
        attributes
            .iter()
            .map(|attribute| {
                let name = attribute.name;
                (name.to_owned(), one(attribute, config.attribute(name), proposed.attribute(name), create))
            })
            .collect(),
    )
}

fn one(attribute: &Attribute, config: &Value, proposed: &Value, create: bool) -> Value {
    let flags = &attribute.flags;
    match config {
        _ if flags.write_only => Value::Null,
        Value::Null => match &flags.default {
            Some(default) => default.clone(),
            None if flags.computed && create => Value::unknown(),
            None if flags.computed => proposed.clone(),
            None => Value::Null,
        },
        Value::Unknown(_) => config.clone(),
        configured => match &attribute.shape {
            Shape::Plain(_) => configured.clone(),
            Shape::Nested(nesting, nested) => collection(*nesting, nested, configured, proposed, create),
        },
    }
}

/// Nested objects: each element by itself, paired with the proposed element of the same place.
fn collection(nesting: Nesting, nested: &[Attribute], config: &Value, proposed: &Value, create: bool) -> Value {
    match (nesting, config) {
        (Nesting::Single, Value::Object(_)) => object(nested, config, proposed, create || !known_object(proposed)),
        (Nesting::List, Value::List(elements)) => Value::List(
            elements
                .iter()
                .enumerate()
                .map(|(index, element)| {
                    let before = match proposed {
                        Value::List(list) => list.get(index).unwrap_or(&Value::Null),
                        _ => &Value::Null,
                    };
                    element_of(nested, element, before, create)
                })
                .collect(),
        ),
        (Nesting::Map, Value::Map(elements)) => Value::Map(
            elements
                .iter()
                .map(|(key, element)| {
                    let before = match proposed {
                        Value::Map(map) => map.get(key).unwrap_or(&Value::Null),
                        _ => &Value::Null,
                    };
                    (key.clone(), element_of(nested, element, before, create))
                })
                .collect::<BTreeMap<_, _>>(),
        ),
        (Nesting::Set, Value::Set(elements)) => Value::Set(
            elements.iter().map(|element| element_of(nested, element, &Value::Null, create)).collect::<BTreeSet<_>>(),
        ),
        _ => config.clone(),
    }
}

fn element_of(nested: &[Attribute], element: &Value, before: &Value, create: bool) -> Value {
    match element {
        Value::Object(_) => object(nested, element, before, create || !known_object(before)),
        other => other.clone(),
    }
}

fn known_object(value: &Value) -> bool {
    matches!(value, Value::Object(_))
}

/// A configuration with its defaults filled in: for objects without state, which read their defaults but never show
/// them.
pub fn with_defaults(attributes: &[Attribute], config: &Value) -> Value {
    if !known_object(config) {
        return config.clone();
    }
    Value::Object(attributes.iter().map(|a| (a.name.to_owned(), default_of(a, config.attribute(a.name)))).collect())
}

fn default_of(attribute: &Attribute, value: &Value) -> Value {
    let nested = attribute.nested();
    match value {
        Value::Null => attribute.flags.default.clone().unwrap_or(Value::Null),
        _ if nested.is_empty() => value.clone(),
        Value::List(elements) => Value::List(elements.iter().map(|e| with_defaults(nested, e)).collect()),
        Value::Set(elements) => Value::Set(elements.iter().map(|e| with_defaults(nested, e)).collect()),
        Value::Map(elements) => {
            Value::Map(elements.iter().map(|(key, e)| (key.clone(), with_defaults(nested, e))).collect())
        }
        object => with_defaults(nested, object),
    }
}

/// The attributes whose change makes a new object: those that differ between prior and planned state. Empty on create.
pub fn replacements(attributes: &[Attribute], prior: &Value, planned: &Value) -> Vec<Path> {
    if prior.is_null() || planned.is_null() {
        return Vec::new();
    }
    attributes
        .iter()
        .filter(|a| a.flags.replace && prior.attribute(a.name) != planned.attribute(a.name))
        .map(|a| Path::attribute(a.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Span;
    use crate::model;
    use crate::schema::Model;

    model! {
        /// Something inside.
        struct Inner {
            /// A switch.
            on: bool = optional().computed().defaults_to(true),
            /// A text.
            text: String = optional(),
        }
    }

    model! {
        /// An object.
        struct Outer {
            /// Fixed.
            name: String = required().replace(),
            /// With a default.
            length: i64 = optional().computed().defaults_to(40),
            /// A duration.
            after: Span = optional(),
            /// A result.
            id: String = computed(),
            /// A secret.
            password_wo: String = optional().write_only(),
            /// Nested.
            inner: Inner = optional(),
        }
    }

    fn outer(fields: &[(&str, Value)]) -> Value {
        let mut all = Outer::default().fields();
        all.extend(fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
        Value::Object(all)
    }

    fn inner(text: Value) -> Value {
        Value::Object(BTreeMap::from([("on".to_owned(), Value::Null), ("text".to_owned(), text)]))
    }

    #[test]
    fn on_create_results_are_unknown_and_defaults_are_filled_in() {
        let config = outer(&[("name", "a".into()), ("password_wo", "secret".into()), ("inner", inner("t".into()))]);
        let planned = plan(&Outer::attributes(), &config, &Value::Null, &config);
        assert_eq!(planned.attribute("length"), &Value::from(40));
        assert!(planned.attribute("id").is_unknown());
        assert_eq!(planned.attribute("password_wo"), &Value::Null);
        assert_eq!(planned.attribute("inner").attribute("on"), &Value::Bool(true));
    }

    #[test]
    fn defaults_reach_the_reader_of_a_stateless_object() {
        let filled = with_defaults(&Outer::attributes(), &outer(&[("inner", inner("t".into()))]));
        assert_eq!(filled.attribute("length"), &Value::from(40));
        assert_eq!(filled.attribute("inner").attribute("on"), &Value::Bool(true));
        assert_eq!(filled.attribute("after"), &Value::Null);
    }

    #[test]
    fn an_unchanged_configuration_plans_the_prior_state() {
        let prior = outer(&[("name", "a".into()), ("length", 40.into()), ("id", "i".into()), ("after", "720h".into())]);
        let config = outer(&[("name", "a".into()), ("after", "720h".into()), ("password_wo", "x".into())]);
        let proposed = outer(&[
            ("name", "a".into()),
            ("length", 40.into()),
            ("id", "i".into()),
            ("after", "720h".into()),
            ("password_wo", "x".into()),
        ]);
        assert_eq!(plan(&Outer::attributes(), &config, &prior, &proposed), prior);
        assert!(replacements(&Outer::attributes(), &prior, &prior).is_empty());
    }

    #[test]
    fn a_changed_fixed_attribute_makes_a_new_object() {
        let prior = outer(&[("name", "a".into()), ("id", "i".into())]);
        let planned = outer(&[("name", Value::unknown()), ("id", "i".into())]);
        assert_eq!(replacements(&Outer::attributes(), &prior, &planned), vec![Path::attribute("name")]);
        assert!(replacements(&Outer::attributes(), &Value::Null, &planned).is_empty());
    }

    #[test]
    fn an_unknown_configuration_stays_exactly_as_unknown_as_it_is() {
        let refined =
            Value::Unknown(Box::new(crate::value::Refinement { prefix: Some("x-".to_owned()), ..Default::default() }));
        let config = outer(&[("name", refined.clone()), ("inner", Value::unknown())]);
        let planned = plan(&Outer::attributes(), &config, &Value::Null, &config);
        assert_eq!(planned.attribute("name"), &refined);
        assert!(planned.attribute("inner").is_unknown());
    }
}
