use crate::access::clean_tag_value;
use crate::schema::{Function, FunctionError, Parameter};
use crate::value::{Type, Value};

use super::text;

pub(super) fn function() -> Function {
    Function {
        name: "tag_value",
        summary: "Cleans a text so that the gateway takes it as the value of a tag",
        description: "The gateway takes letters, digits, spaces and `-_+=@/:` in the values of connection tags, but no \
                      dot. Every other character becomes `-`, the text is cut at 256 characters, and an empty text \
                      becomes `-`.",
        parameters: vec![Parameter { name: "text", kind: Type::String, description: "Any text." }],
        variadic: None,
        returns: Type::String,
        call,
    }
}

fn call(arguments: &[Value]) -> Result<Value, FunctionError> {
    Ok(clean_tag_value(text(arguments, 0)?).into())
}
