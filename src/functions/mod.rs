//! Provider functions: pure, one file each. None of them takes or returns a secret.

mod arn_parse;
mod connection_name;
mod connection_uri;
mod role_name;
mod tag_value;

use crate::schema::{Function, FunctionError};
use crate::value::Value;

/// Every function, in the order of the documentation.
pub fn all() -> Vec<Function> {
    vec![
        arn_parse::function(),
        connection_name::function(),
        connection_uri::function(),
        role_name::function(),
        tag_value::function(),
    ]
}

/// The text at a position. Terraform checks types and never passes null or unknown.
fn text(arguments: &[Value], position: usize) -> Result<&str, FunctionError> {
    match arguments.get(position) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(FunctionError::argument(i64::try_from(position).unwrap_or(0), "a text is expected")),
    }
}

/// A parsed text at a position.
fn parsed<T: std::str::FromStr<Err = crate::access::Invalid>>(
    arguments: &[Value],
    position: usize,
) -> Result<T, FunctionError> {
    text(arguments, position)?
        .parse()
        .map_err(|error| FunctionError::argument(i64::try_from(position).unwrap_or(0), error))
}
