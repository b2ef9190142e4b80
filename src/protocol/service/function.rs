//! Functions: pure, and called without a configured provider.

use tfplugin_proto::tfplugin6 as pb;

use crate::schema::{Function, FunctionError, Parameter, Provider};
use crate::value::Value;

use super::{Service, codec};

pub(super) fn call<P: Provider>(
    service: &Service<P>,
    request: pb::call_function::Request,
) -> pb::call_function::Response {
    let Some(function) = service.functions.get(request.name.as_str()) else {
        return failed(
            FunctionError { text: format!("The provider has no function `{}`.", request.name), argument: None }.text,
        );
    };
    let result = arguments(function, &request.arguments).and_then(|arguments| (function.call)(&arguments));
    match result.and_then(|value| codec::encode(&value, &function.returns).map_err(plain)) {
        Ok(result) => pb::call_function::Response { result: Some(result), error: None },
        Err(error) => pb::call_function::Response {
            result: None,
            // Terraform and OpenTofu put the full stop themselves.
            error: Some(pb::FunctionError {
                text: error.text.trim_end_matches('.').to_owned(),
                function_argument: error.argument,
            }),
        },
    }
}

pub(super) fn failed(text: String) -> pb::call_function::Response {
    pb::call_function::Response { result: None, error: Some(pb::FunctionError { text, function_argument: None }) }
}

fn arguments(function: &Function, messages: &[pb::DynamicValue]) -> Result<Vec<Value>, FunctionError> {
    messages
        .iter()
        .enumerate()
        .map(|(position, message)| {
            let argument = i64::try_from(position).ok();
            let parameter = parameter(function, position)
                .ok_or_else(|| FunctionError { text: "Too many arguments.".to_owned(), argument })?;
            codec::decode(Some(message), &parameter.kind)
                .map_err(|error| FunctionError { text: error.to_string(), argument })
        })
        .collect()
}

fn parameter(function: &Function, position: usize) -> Option<&Parameter> {
    function.parameters.get(position).or(function.variadic.as_ref())
}

fn plain(error: codec::Error) -> FunctionError {
    FunctionError { text: error.to_string(), argument: None }
}
