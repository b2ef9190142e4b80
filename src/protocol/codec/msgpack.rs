//! Terraform's msgpack form of values.
//!
//! Unknown values are extensions: type 0 plain, type 12 with refinements, any other type is unknown too. Numbers are
//! integers, exact floats or decimal texts. A value of dynamic type is an array of its type's JSON and the value.

use std::collections::{BTreeMap, BTreeSet};

use rmpv::{Value as Pack, ValueRef as PackRef};
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

/// Written without a tree of the whole message: an organization's databases are tens of megabytes.
pub(super) fn encode(value: &Value, kind: &Type) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    put(&mut bytes, value, kind, &Place::Root)?;
    Ok(bytes)
}

/// Where a value is. Paths are made for errors only.
enum Place<'a> {
    Root,
    Field(&'a Place<'a>, &'a str),
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn path(&self) -> Path {
        match self {
            Self::Root => Path::root(),
            Self::Field(at, name) => at.path().field(name),
            Self::Key(at, key) => at.path().key(key),
            Self::Index(at, index) => at.path().index(*index),
        }
    }
}

fn write(pack: &Pack) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_pack(&mut bytes, pack);
    bytes
}

fn put_pack(bytes: &mut Vec<u8>, pack: &Pack) {
    // Writing into a vector cannot fail.
    let _infallible = rmpv::encode::write_value(bytes, pack);
}

/// A text in the form that Terraform compares by.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let normal;
    let text = if unicode_normalization::is_nfc(text) {
        text
    } else {
        normal = text.nfc().collect::<String>();
        normal.as_str()
    };
    let _infallible = rmpv::encode::write_value_ref(bytes, &PackRef::from(text));
}

/// The head of an array or map: a tag with a short length in it, or a tag and a length of 16 or 32 bits.
fn put_length(bytes: &mut Vec<u8>, length: usize, [short, medium, long]: [u8; 3]) {
    match (u8::try_from(length), u16::try_from(length), u32::try_from(length)) {
        (Ok(length @ ..=15), ..) => bytes.push(short | length),
        (_, Ok(length), _) => {
            bytes.push(medium);
            bytes.extend(length.to_be_bytes());
        }
        (.., length) => {
            bytes.push(long);
            bytes.extend(length.unwrap_or(u32::MAX).to_be_bytes());
        }
    }
}

const ARRAY: [u8; 3] = [0x90, 0xdc, 0xdd];
const MAP: [u8; 3] = [0x80, 0xde, 0xdf];

fn put(bytes: &mut Vec<u8>, value: &Value, kind: &Type, at: &Place<'_>) -> Result<(), Error> {
    match (kind, value) {
        (_, Value::Null) => put_pack(bytes, &Pack::Nil),
        (_, Value::Unknown(refinement)) => put_pack(bytes, &unknown(refinement)),
        (Type::Bool, Value::Bool(value)) => put_pack(bytes, &Pack::Boolean(*value)),
        (Type::Number, Value::Number(number)) => put_pack(bytes, &number_pack(number)),
        (Type::String, Value::String(text)) => put_text(bytes, text),
        (Type::List(element), Value::List(elements)) => put_all(bytes, elements.iter(), element, at)?,
        (Type::Set(element), Value::Set(elements)) => put_all(bytes, elements.iter(), element, at)?,
        (Type::Tuple(kinds), Value::List(elements)) if kinds.len() == elements.len() => {
            put_length(bytes, elements.len(), ARRAY);
            for (index, (kind, element)) in kinds.iter().zip(elements).enumerate() {
                put(bytes, element, kind, &Place::Index(at, index))?;
            }
        }
        (Type::Map(element), Value::Map(entries)) => {
            put_length(bytes, entries.len(), MAP);
            for (key, value) in entries {
                put_text(bytes, key);
                put(bytes, value, element, &Place::Key(at, key))?;
            }
        }
        (Type::Object(attributes), Value::Object(object)) => put_object(bytes, object, attributes, at)?,
        (Type::Dynamic, Value::Dynamic(dynamic)) => {
            put_length(bytes, 2, ARRAY);
            put_pack(bytes, &Pack::Binary(type_to_json(&dynamic.kind)));
            put(bytes, &dynamic.value, &dynamic.kind, at)?;
        }
        _ => return Err(Error::mismatch(&at.path(), describe(kind))),
    }
    Ok(())
}

fn put_object(
    bytes: &mut Vec<u8>,
    object: &BTreeMap<String, Value>,
    attributes: &BTreeMap<String, Type>,
    at: &Place<'_>,
) -> Result<(), Error> {
    if let Some(extra) = object.keys().find(|name| !attributes.contains_key(*name)) {
        return Err(Error::mismatch(&at.path(), format!("an object without the attribute `{extra}`")));
    }
    put_length(bytes, attributes.len(), MAP);
    for (name, kind) in attributes {
        put_text(bytes, name);
        put(bytes, object.get(name).unwrap_or(&Value::Null), kind, &Place::Field(at, name))?;
    }
    Ok(())
}

fn put_all<'v>(
    bytes: &mut Vec<u8>,
    elements: impl ExactSizeIterator<Item = &'v Value>,
    kind: &Type,
    at: &Place<'_>,
) -> Result<(), Error> {
    put_length(bytes, elements.len(), ARRAY);
    for (index, element) in elements.enumerate() {
        put(bytes, element, kind, &Place::Index(at, index))?;
    }
    Ok(())
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
