use crate::access::{Access, clean_connection_name, is_connection_name};
use crate::schema::{Function, FunctionError, Parameter};
use crate::value::{Type, Value};

use super::{parsed, text};

pub(super) fn function() -> Function {
    Function {
        name: "connection_name",
        summary: "Builds the name of a gateway connection from parts and a level of access",
        description: "`connection_name(\"read_only\", \"payments\", \"eu1\", \"main\")` is `payments-eu1-main-ro`. Each \
                      part is cleaned to the gateway's rule: other characters than letters, digits and `_` become a \
                      single `-`. Parts that are empty after cleaning are left out; a name that is shorter than 3 or \
                      longer than 254 characters is an error.",
        parameters: vec![Parameter {
            name: "access",
            kind: Type::String,
            description: "Level of access: `read_only`, `read_write` or `ddl`.",
        }],
        variadic: Some(Parameter {
            name: "parts",
            kind: Type::String,
            description: "What the name is made of, in order.",
        }),
        returns: Type::String,
        call,
    }
}

fn call(arguments: &[Value]) -> Result<Value, FunctionError> {
    let access: Access = parsed(arguments, 0)?;
    let mut parts = Vec::new();
    for position in 1..arguments.len() {
        parts.push(clean_connection_name(text(arguments, position)?));
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        return Err(FunctionError {
            text: "At least one part with a letter or digit is needed.".into(),
            argument: None,
        });
    }
    parts.push(access.suffix().to_owned());
    let name = parts.join("-");
    if is_connection_name(&name) {
        Ok(name.into())
    } else {
        let text = format!(
            "The gateway refuses the name `{name}`: it takes 3 to 254 characters, three of them letters, digits or `_`."
        );
        Err(FunctionError { text, argument: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cleaned_and_joined() {
        let call = |parts: &[&str]| call(&parts.iter().map(|p| Value::from(*p)).collect::<Vec<_>>());
        assert_eq!(call(&["read_only", "payments", "eu1", "main"]), Ok("payments-eu1-main-ro".into()));
        assert_eq!(call(&["ddl", "Team Ä", "--", "a..b"]), Ok("Team-a.b-ddl".into()));
        assert!(call(&["read_only"]).is_err());
        assert!(call(&["read_only", "é"]).is_err());
        assert!(call(&["read_write", &"x".repeat(260)]).is_err());
    }
}
