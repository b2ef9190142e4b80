use crate::access::{Access, RoleName};
use crate::schema::{Function, FunctionError, Parameter};
use crate::value::{Type, Value};

use super::{parsed, text};

pub(super) fn function() -> Function {
    Function {
        name: "role_name",
        summary: "Builds the name of a role from a prefix and a level of access",
        description: "`role_name(\"hoop\", \"read_only\")` is `hoop_ro`, the default name of `rdsaccess_role`. The \
                      suffixes are `ro`, `rw` and `ddl`.",
        parameters: vec![
            Parameter { name: "prefix", kind: Type::String, description: "What the name begins with." },
            Parameter {
                name: "access",
                kind: Type::String,
                description: "Level of access: `read_only`, `read_write` or `ddl`.",
            },
        ],
        variadic: None,
        returns: Type::String,
        call,
    }
}

fn call(arguments: &[Value]) -> Result<Value, FunctionError> {
    let access: Access = parsed(arguments, 1)?;
    let name = format!("{}_{}", text(arguments, 0)?, access.suffix());
    let name: RoleName = name.parse().map_err(|error| FunctionError::argument(0, error))?;
    Ok(Value::string(name.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_becomes_a_suffix() {
        assert_eq!(call(&["hoop".into(), "read_only".into()]), Ok("hoop_ro".into()));
        assert_eq!(call(&["team a".into(), "ddl".into()]), Ok("team a_ddl".into()));
    }

    #[test]
    fn an_unknown_level_is_an_error_of_its_argument() {
        assert_eq!(call(&["hoop".into(), "admin".into()]).unwrap_err().argument, Some(1));
    }
}
