use std::collections::BTreeMap;

use crate::access::Arn;
use crate::schema::{Function, FunctionError, Parameter};
use crate::value::{Type, Value};

use super::parsed;

pub(super) fn function() -> Function {
    Function {
        name: "arn_parse",
        summary: "Takes the ARN of a database apart",
        description: "Returns the parts of the ARN of an RDS instance or cluster: `partition`, `region`, \
                      `account_id`, `kind` (`instance` or `cluster`) and `identifier`. Any other ARN is an error.",
        parameters: vec![Parameter {
            name: "arn",
            kind: Type::String,
            description: "ARN of an RDS instance or cluster.",
        }],
        variadic: None,
        returns: Type::object(
            ["partition", "region", "account_id", "kind", "identifier"].map(|name| (name, Type::String)),
        ),
        call,
    }
}

fn call(arguments: &[Value]) -> Result<Value, FunctionError> {
    let arn: Arn = parsed(arguments, 0)?;
    Ok(Value::Object(BTreeMap::from([
        ("partition".to_owned(), arn.partition.as_str().into()),
        ("region".to_owned(), arn.region.as_str().into()),
        ("account_id".to_owned(), arn.account_id.as_str().into()),
        ("kind".to_owned(), arn.kind.as_str().into()),
        ("identifier".to_owned(), arn.identifier.into()),
    ])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_arn_are_returned() {
        let parts = call(&["arn:aws:rds:eu-central-1:123456789012:cluster:ledger".into()]).unwrap();
        assert_eq!(parts.attribute("kind"), &"cluster".into());
        assert_eq!(parts.attribute("account_id"), &"123456789012".into());
        assert_eq!(parts.attribute("identifier"), &"ledger".into());
    }

    #[test]
    fn another_arn_is_an_error_of_the_argument() {
        assert_eq!(call(&["arn:aws:s3:::bucket".into()]).unwrap_err().argument, Some(0));
    }
}
