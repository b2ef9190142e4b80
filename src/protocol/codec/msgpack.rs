//! Terraform's msgpack form of values.
//!
//! Unknown values are extensions: type 0 plain, type 12 with refinements, any other type is unknown too. Numbers are
//! integers, exact floats or decimal texts. A value of dynamic type is an array of its type's JSON and the value.

use std::collections::{BTreeMap, BTreeSet};

use rmpv::Value as Pack;
use unicode_normalization::UnicodeNormalization;

use crate::value::{DynamicValue, Number, Path, Refinement, Type, Value};

use super::Error;
use super::types::{type_from_json, type_to_json};

/// Extension type of an unknown value without refinements.
const UNKNOWN: i8 = 0;
/// Extension type of an unknown value with refinements.
const REFINED: i8 = 12;
/// Deepest nesting of a message. Terraform's own schemas stay far below.
const DEEPEST: usize = 256;

/// The keys of a refinement map.
mod key {
    pub(super) const NULL: i64 = 1;
    pub(super) const PREFIX: i64 = 2;
    pub(super) const LOWER: i64 = 3;
    pub(super) const UPPER: i64 = 4;
    pub(super) const SHORTEST: i64 = 5;
    pub(super) const LONGEST: i64 = 6;
}

pub(super) fn decode(bytes: &[u8], kind: &Type) -> Result<Value, Error> {
    from_pack(&read(bytes)?, kind, &Path::root())
}

fn read(mut bytes: &[u8]) -> Result<Pack, Error> {
    let malformed = |text: String| Error::Malformed { format: "msgpack", text };
    let pack =
        rmpv::decode::read_value_with_max_depth(&mut bytes, DEEPEST).map_err(|error| malformed(error.to_string()))?;
    if bytes.is_empty() { Ok(pack) } else { Err(malformed("bytes follow the value".to_owned())) }
}

fn from_pack(pack: &Pack, kind: &Type, at: &Path) -> Result<Value, Error> {
    match pack {
        Pack::Nil => return Ok(Value::Null),
        Pack::Ext(tag, payload) => return Ok(Value::Unknown(Box::new(refinement(*tag, payload)))),
        _ => {}
    }
    match (kind, pack) {
        (Type::Bool, Pack::Boolean(value)) => Ok(Value::Bool(*value)),
        (Type::Number, number) => from_number(number).map(Value::Number).ok_or_else(|| Error::mismatch(at, "a number")),
        (Type::String, Pack::String(text)) => match text.as_str() {
            Some(text) => Ok(Value::string(text)),
            None => Err(Error::mismatch(at, "a text in UTF-8")),
        },
        (Type::List(element), Pack::Array(elements)) => Ok(Value::List(array(elements, element, at)?)),
        (Type::Set(element), Pack::Array(elements)) => {
            Ok(Value::Set(array(elements, element, at)?.into_iter().collect::<BTreeSet<_>>()))
        }
        (Type::Tuple(kinds), Pack::Array(elements)) if kinds.len() == elements.len() => Ok(Value::List(
            kinds
                .iter()
                .zip(elements)
                .enumerate()
                .map(|(index, (kind, element))| from_pack(element, kind, &at.index(index)))
                .collect::<Result<_, _>>()?,
        )),
        (Type::Map(element), Pack::Map(entries)) => Ok(Value::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    let key = key.as_str().ok_or_else(|| Error::mismatch(at, "a map with texts as keys"))?;
                    Ok((key.to_owned(), from_pack(value, element, &at.key(key))?))
                })
                .collect::<Result<_, Error>>()?,
        )),
        (Type::Object(attributes), Pack::Map(entries)) => from_object(entries, attributes, at),
        (Type::Dynamic, Pack::Array(parts)) => from_dynamic(parts, at),
        _ => Err(Error::mismatch(at, describe(kind))),
    }
}

fn array(elements: &[Pack], kind: &Type, at: &Path) -> Result<Vec<Value>, Error> {
    elements.iter().enumerate().map(|(index, element)| from_pack(element, kind, &at.index(index))).collect()
}

fn from_object(entries: &[(Pack, Pack)], attributes: &BTreeMap<String, Type>, at: &Path) -> Result<Value, Error> {
    let mut object = BTreeMap::new();
    for (key, value) in entries {
        let name = key.as_str().ok_or_else(|| Error::mismatch(at, "an object with texts as keys"))?;
        let kind = attributes
            .get(name)
            .ok_or_else(|| Error::mismatch(at, format!("an object without the attribute `{name}`")))?;
        object.insert(name.to_owned(), from_pack(value, kind, &at.field(name))?);
    }
    match attributes.keys().find(|name| !object.contains_key(*name)) {
        Some(missing) => Err(Error::mismatch(at, format!("an object with the attribute `{missing}`"))),
        None => Ok(Value::Object(object)),
    }
}

fn from_dynamic(parts: &[Pack], at: &Path) -> Result<Value, Error> {
    let [kind, value] = parts else {
        return Err(Error::mismatch(at, "a type and a value"));
    };
    let kind = match kind {
        Pack::Binary(bytes) => type_from_json(bytes)?,
        Pack::String(text) => type_from_json(text.as_bytes())?,
        _ => return Err(Error::mismatch(at, "the JSON of a type")),
    };
    let value = from_pack(value, &kind, at)?;
    Ok(Value::Dynamic(Box::new(DynamicValue { kind, value })))
}

fn from_number(pack: &Pack) -> Option<Number> {
    match pack {
        Pack::Integer(integer) => integer.as_i64().map(Number::from).or_else(|| integer.as_u64().map(Number::from)),
        Pack::F32(float) => Number::try_from(f64::from(*float)).ok(),
        Pack::F64(float) => Number::try_from(*float).ok(),
        Pack::String(text) => text.as_str()?.parse().ok(),
        _ => None,
    }
}

/// Reads what is known of an unknown value. What cannot be read is left out: a refinement is an offer, not a duty.
fn refinement(tag: i8, payload: &[u8]) -> Refinement {
    let mut refinement = Refinement::default();
    let entries = match (tag, read(payload)) {
        (REFINED, Ok(Pack::Map(entries))) => entries,
        _ => return refinement,
    };
    for (key, value) in &entries {
        match key.as_i64() {
            Some(key::NULL) => refinement.null = value.as_bool(),
            Some(key::PREFIX) => refinement.prefix = value.as_str().map(str::to_owned),
            Some(key::LOWER) => refinement.lower = bound(value),
            Some(key::UPPER) => refinement.upper = bound(value),
            Some(key::SHORTEST) => refinement.shortest = value.as_u64(),
            Some(key::LONGEST) => refinement.longest = value.as_u64(),
            _ => {}
        }
    }
    refinement
}

fn bound(pack: &Pack) -> Option<(Number, bool)> {
    match pack.as_array()?.as_slice() {
        [number, included] => Some((from_number(number)?, included.as_bool()?)),
        _ => None,
    }
}

pub(super) fn encode(value: &Value, kind: &Type) -> Result<Vec<u8>, Error> {
    Ok(write(&to_pack(value, kind, &Path::root())?))
}

fn write(pack: &Pack) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing into a vector cannot fail.
    let _infallible = rmpv::encode::write_value(&mut bytes, pack);
    bytes
}

fn to_pack(value: &Value, kind: &Type, at: &Path) -> Result<Pack, Error> {
    match (kind, value) {
        (_, Value::Null) => Ok(Pack::Nil),
        (_, Value::Unknown(refinement)) => Ok(unknown(refinement)),
        (Type::Bool, Value::Bool(value)) => Ok(Pack::Boolean(*value)),
        (Type::Number, Value::Number(number)) => Ok(number_pack(number)),
        (Type::String, Value::String(text)) => Ok(Pack::from(text.nfc().collect::<String>())),
        (Type::List(element), Value::List(elements)) => pack_all(elements.iter(), element, at),
        (Type::Set(element), Value::Set(elements)) => pack_all(elements.iter(), element, at),
        (Type::Tuple(kinds), Value::List(elements)) if kinds.len() == elements.len() => Ok(Pack::Array(
            kinds
                .iter()
                .zip(elements)
                .enumerate()
                .map(|(index, (kind, element))| to_pack(element, kind, &at.index(index)))
                .collect::<Result<_, _>>()?,
        )),
        (Type::Map(element), Value::Map(entries)) => Ok(Pack::Map(
            entries
                .iter()
                .map(|(key, value)| {
                    Ok((Pack::from(key.nfc().collect::<String>()), to_pack(value, element, &at.key(key))?))
                })
                .collect::<Result<_, Error>>()?,
        )),
        (Type::Object(attributes), Value::Object(object)) => {
            if let Some(extra) = object.keys().find(|name| !attributes.contains_key(*name)) {
                return Err(Error::mismatch(at, format!("an object without the attribute `{extra}`")));
            }
            Ok(Pack::Map(
                attributes
                    .iter()
                    .map(|(name, kind)| {
                        let value = object.get(name).unwrap_or(&Value::Null);
                        Ok((Pack::from(name.as_str()), to_pack(value, kind, &at.field(name))?))
                    })
                    .collect::<Result<_, Error>>()?,
            ))
        }
        (Type::Dynamic, Value::Dynamic(dynamic)) => Ok(Pack::Array(vec![
            Pack::Binary(type_to_json(&dynamic.kind)),
            to_pack(&dynamic.value, &dynamic.kind, at)?,
        ])),
        _ => Err(Error::mismatch(at, describe(kind))),
    }
}

fn pack_all<'v>(elements: impl Iterator<Item = &'v Value>, kind: &Type, at: &Path) -> Result<Pack, Error> {
    let packed: Result<Vec<Pack>, Error> =
        elements.enumerate().map(|(index, element)| to_pack(element, kind, &at.index(index))).collect();
    packed.map(Pack::Array)
}

/// Whole numbers beyond 64 bits travel as texts, also those that a float could hold.
fn number_pack(number: &Number) -> Pack {
    match (number.to_i64(), number.to_exact_f64()) {
        (Some(integer), _) => Pack::from(integer),
        (None, Some(float)) if !number.is_whole() => Pack::F64(float),
        _ => Pack::from(number.to_string()),
    }
}

fn unknown(refinement: &Refinement) -> Pack {
    if refinement.is_empty() {
        return Pack::Ext(UNKNOWN, vec![0]);
    }
    let mut entries = Vec::new();
    let mut add = |key: i64, value: Option<Pack>| {
        if let Some(value) = value {
            entries.push((Pack::from(key), value));
        }
    };
    let bound = |bound: &Option<(Number, bool)>| {
        bound.as_ref().map(|(number, included)| Pack::Array(vec![number_pack(number), Pack::Boolean(*included)]))
    };
    add(key::NULL, refinement.null.map(Pack::Boolean));
    add(key::PREFIX, refinement.prefix.as_deref().map(Pack::from));
    add(key::LOWER, bound(&refinement.lower));
    add(key::UPPER, bound(&refinement.upper));
    add(key::SHORTEST, refinement.shortest.map(Pack::from));
    add(key::LONGEST, refinement.longest.map(Pack::from));
    Pack::Ext(REFINED, write(&Pack::Map(entries)))
}

fn describe(kind: &Type) -> &'static str {
    match kind {
        Type::Bool => "true or false",
        Type::Number => "a number",
        Type::String => "a text",
        Type::Dynamic => "a value with its type",
        Type::List(_) => "a list",
        Type::Set(_) => "a set",
        Type::Map(_) => "a map",
        Type::Tuple(_) => "a tuple of the declared length",
        Type::Object(_) => "an object",
    }
}

#[cfg(test)]
#[path = "msgpack_tests.rs"]
mod tests;
