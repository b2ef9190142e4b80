//! Types as JSON: `"string"`, `["list","number"]`, `["object",{"a":"bool"}]`.

use serde_json::{Value as Json, json};

use crate::value::Type;

use super::Error;

/// The JSON form of a type.
pub fn type_to_json(kind: &Type) -> Vec<u8> {
    to_json(kind).to_string().into_bytes()
}

/// Reads the JSON form of a type.
///
/// # Errors
/// Bytes that are not a type.
pub fn type_from_json(bytes: &[u8]) -> Result<Type, Error> {
    let json = serde_json::from_slice(bytes)
        .map_err(|e| Error::Malformed { format: "the JSON of a type", text: e.to_string() })?;
    from_json(&json).ok_or_else(|| Error::Malformed { format: "the JSON of a type", text: "no such type".to_owned() })
}

fn to_json(kind: &Type) -> Json {
    match kind {
        Type::Bool => json!("bool"),
        Type::Number => json!("number"),
        Type::String => json!("string"),
        Type::Dynamic => json!("dynamic"),
        Type::List(element) => json!(["list", to_json(element)]),
        Type::Set(element) => json!(["set", to_json(element)]),
        Type::Map(element) => json!(["map", to_json(element)]),
        Type::Tuple(elements) => json!(["tuple", elements.iter().map(to_json).collect::<Vec<_>>()]),
        Type::Object(attributes) => {
            let attributes: serde_json::Map<_, _> =
                attributes.iter().map(|(name, kind)| (name.clone(), to_json(kind))).collect();
            json!(["object", attributes])
        }
    }
}

fn from_json(json: &Json) -> Option<Type> {
    if let Some(word) = json.as_str() {
        return match word {
            "bool" => Some(Type::Bool),
            "number" => Some(Type::Number),
            "string" => Some(Type::String),
            "dynamic" => Some(Type::Dynamic),
            _ => None,
        };
    }
    // A third element of `object` names optional attributes; it says nothing about values.
    let parts = json.as_array().filter(|p| p.len() == 2 || p.len() == 3)?;
    match (parts[0].as_str()?, &parts[1]) {
        ("list", element) => from_json(element).map(Type::list),
        ("set", element) => from_json(element).map(Type::set),
        ("map", element) => from_json(element).map(Type::map),
        ("tuple", Json::Array(elements)) => elements.iter().map(from_json).collect::<Option<_>>().map(Type::Tuple),
        ("object", Json::Object(attributes)) => attributes
            .iter()
            .map(|(name, kind)| from_json(kind).map(|kind| (name.clone(), kind)))
            .collect::<Option<_>>()
            .map(Type::Object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_a_round_trip() {
        let object = Type::object([("a", Type::Bool), ("b", Type::list(Type::Number))]);
        for kind in
            [Type::String, Type::Dynamic, Type::set(object.clone()), Type::map(Type::Tuple(vec![object, Type::String]))]
        {
            assert_eq!(type_from_json(&type_to_json(&kind)).unwrap(), kind);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "\"strin\"", "[\"list\"]", "[\"list\",3]", "[\"object\",[]]", "[]"] {
            assert!(type_from_json(text.as_bytes()).is_err(), "{text}");
        }
    }
}
