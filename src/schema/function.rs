//! Provider functions: pure, called without a configured provider.

use crate::value::{Type, Value};

/// A function that HCL calls as `provider::rdsaccess::<name>(…)`.
#[derive(Debug, Clone)]
pub struct Function {
    /// Name
    pub name: &'static str,
    /// One line
    pub summary: &'static str,
    /// What it is for, Markdown
    pub description: &'static str,
    /// Positional parameters
    pub parameters: Vec<Parameter>,
    /// The parameter that takes all further arguments
    pub variadic: Option<Parameter>,
    /// Type of the result
    pub returns: Type,
    /// Computes the result. Terraform never passes null or unknown unless a parameter allows it.
    pub call: fn(&[Value]) -> Result<Value, FunctionError>,
}

/// A parameter of a function.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Name
    pub name: &'static str,
    /// Type
    pub kind: Type,
    /// What it is, Markdown
    pub description: &'static str,
}

/// Why a function has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FunctionError {
    /// A sentence
    pub text: String,
    /// Position of the argument that does not fit, from 0
    pub argument: Option<i64>,
}

impl FunctionError {
    /// An argument that does not fit.
    pub fn argument(position: i64, text: impl std::fmt::Display) -> Self {
        Self { text: crate::report::sentence(&text.to_string()), argument: Some(position) }
    }
}
