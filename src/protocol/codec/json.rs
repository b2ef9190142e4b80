//! Terraform's JSON form of values, as it stands in state files.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::value::{DynamicValue, Path, Type, Value};

use super::Error;
use super::types::type_from_json;

/// Reads a value of this type. Attributes that are missing read as null, attributes that the type does not have are
/// left out: a state may be older or newer than the schema.
///
/// # Errors
/// Bytes that are not JSON, or a value of another type.
pub fn from_json(bytes: &[u8], kind: &Type) -> Result<Value, Error> {
    let json: Json =
        serde_json::from_slice(bytes).map_err(|error| Error::Malformed { format: "JSON", text: error.to_string() })?;
    read(&json, kind, &Path::root())
}

fn read(json: &Json, kind: &Type, at: &Path) -> Result<Value, Error> {
    match (kind, json) {
        (_, Json::Null) => Ok(Value::Null),
        (Type::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
        (Type::Number, Json::Number(number)) => number_of(&number.to_string(), at),
        // Terraform converts between primitive types when it reads a state file, so a reader must do so too.
        (Type::Number, Json::String(text)) => number_of(text, at),
        (Type::Bool, Json::String(text)) if text == "true" || text == "false" => Ok(Value::Bool(text == "true")),
        (Type::String, Json::String(text)) => Ok(Value::string(text.as_str())),
        (Type::String, Json::Number(number)) => Ok(Value::string(number.to_string())),
        (Type::String, Json::Bool(value)) => Ok(Value::string(value.to_string())),
        (Type::List(element), Json::Array(elements)) => Ok(Value::List(array(elements, element, at)?)),
        (Type::Set(element), Json::Array(elements)) => {
            Ok(Value::Set(array(elements, element, at)?.into_iter().collect()))
        }
        (Type::Tuple(kinds), Json::Array(elements)) if kinds.len() == elements.len() => Ok(Value::List(
            kinds
                .iter()
                .zip(elements)
                .enumerate()
                .map(|(index, (kind, element))| read(element, kind, &at.index(index)))
                .collect::<Result<_, _>>()?,
        )),
        (Type::Map(element), Json::Object(entries)) => Ok(Value::Map(
            entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), read(value, element, &at.key(key))?)))
                .collect::<Result<_, Error>>()?,
        )),
        (Type::Object(attributes), Json::Object(entries)) => Ok(Value::Object(
            attributes
                .iter()
                .map(|(name, kind)| {
                    let json = entries.get(name).unwrap_or(&Json::Null);
                    Ok((name.clone(), read(json, kind, &at.field(name))?))
                })
                .collect::<Result<BTreeMap<_, _>, Error>>()?,
        )),
        (Type::Dynamic, Json::Object(entries)) => dynamic(entries, at),
        _ => Err(Error::mismatch(at, "a value of the declared type")),
    }
}

fn array(elements: &[Json], kind: &Type, at: &Path) -> Result<Vec<Value>, Error> {
    elements.iter().enumerate().map(|(index, element)| read(element, kind, &at.index(index))).collect()
}

fn number_of(text: &str, at: &Path) -> Result<Value, Error> {
    text.parse().map(Value::Number).map_err(|_| Error::mismatch(at, "a number"))
}

fn dynamic(entries: &serde_json::Map<String, Json>, at: &Path) -> Result<Value, Error> {
    match (entries.get("type"), entries.get("value")) {
        (Some(kind), Some(value)) => {
            let kind = type_from_json(kind.to_string().as_bytes())?;
            let value = read(value, &kind, at)?;
            Ok(Value::Dynamic(Box::new(DynamicValue { kind, value })))
        }
        _ => Err(Error::mismatch(at, "an object with `type` and `value`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        let value = from_json(b" 12345678901234567890123 ", &Type::Number).unwrap();
        assert_eq!(value, Value::Number("12345678901234567890123".parse().unwrap()));
    }

    #[test]
    fn a_state_may_lack_attributes_and_have_others() {
        let kind = Type::object([("a", Type::String), ("b", Type::set(Type::Number))]);
        let value = from_json(br#"{"a":"x","gone":true}"#, &kind).unwrap();
        assert_eq!(value.attribute("a"), &Value::from("x"));
        assert_eq!(value.attribute("b"), &Value::Null);
    }

    #[test]
    fn a_dynamic_value_carries_its_type() {
        let value = from_json(br#"{"value":["a"],"type":["list","string"]}"#, &Type::Dynamic).unwrap();
        assert!(matches!(value, Value::Dynamic(d) if d.value == Value::List(vec!["a".into()])));
    }

    #[test]
    fn another_type_is_refused_with_its_place() {
        let kind = Type::object([("a", Type::list(Type::Bool))]);
        assert_eq!(
            from_json(br#"{"a":[true,7]}"#, &kind).unwrap_err().to_string(),
            "at `a[1]`: a value of the declared type is expected"
        );
    }
}
