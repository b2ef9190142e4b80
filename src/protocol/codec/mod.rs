//! Values on the wire: Terraform's msgpack form, its JSON form, and the JSON form of types.

mod json;
mod msgpack;
mod types;

use tfplugin_proto::tfplugin6::DynamicValue;

use crate::report::Explain;
use crate::value::{Path, Type, Value};

pub use json::from_json;
pub use types::{type_from_json, type_to_json};

/// Bytes that are not a value of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not msgpack, or not JSON
    #[error("the bytes are not {format}: {text}")]
    Malformed {
        /// `msgpack` or `JSON`
        format: &'static str,
        /// The parser's words
        text: String,
    },
    /// Well-formed, but of another type
    #[error("at `{path}`: {expected} is expected")]
    Mismatch {
        /// Where
        path: Path,
        /// What was expected, with its article
        expected: String,
    },
}

impl Error {
    fn mismatch(path: &Path, expected: impl Into<String>) -> Self {
        Self::Mismatch { path: path.clone(), expected: expected.into() }
    }
}

impl Explain for Error {
    fn summary(&self) -> String {
        "Cannot read a value sent by Terraform".to_owned()
    }

    fn next_step(&self) -> Option<String> {
        Some("this is a bug in the provider or in the client: report it with the versions of both".to_owned())
    }
}

/// Reads a value. An absent or empty message is null: OpenTofu sends null arguments of functions that way.
///
/// # Errors
/// Bytes that are not a value of this type.
pub fn decode(message: Option<&DynamicValue>, kind: &Type) -> Result<Value, Error> {
    match message {
        Some(message) if !message.msgpack.is_empty() => msgpack::decode(&message.msgpack, kind),
        Some(message) if !message.json.is_empty() => from_json(&message.json, kind),
        _ => Ok(Value::Null),
    }
}

/// Writes a value in the msgpack form.
///
/// # Errors
/// A value that is not of this type: a bug of the provider.
pub fn encode(value: &Value, kind: &Type) -> Result<DynamicValue, Error> {
    Ok(DynamicValue { msgpack: msgpack::encode(value, kind)?, json: Vec::new() })
}
