//! Declarations and reports as protocol messages.

use tfplugin_proto::tfplugin6 as pb;

use crate::report::{Report, Severity};
use crate::schema::{Attribute, Function, Nesting, Parameter, Shape, join_doc};
use crate::value::{Path, Step};

use super::codec::type_to_json;

/// The schema of an object. Core needs a block in every schema, even an empty one.
pub fn schema(version: i64, doc: &[&str], attributes: &[Attribute], stateful: bool) -> pb::Schema {
    pb::Schema {
        version,
        block: Some(pb::schema::Block {
            attributes: attributes.iter().map(|a| attribute(a, stateful)).collect(),
            description: join_doc(doc),
            description_kind: pb::StringKind::Markdown.into(),
            ..Default::default()
        }),
    }
}

/// One attribute. In a resource (`stateful`) a default is a computed value; elsewhere there is no state to keep it in.
fn attribute(attribute: &Attribute, stateful: bool) -> pb::schema::Attribute {
    let flags = &attribute.flags;
    let (kind, nested_type) = match &attribute.shape {
        Shape::Plain(kind) => (type_to_json(kind), None),
        Shape::Nested(nesting, nested) => (Vec::new(), Some(object(*nesting, nested, stateful))),
    };
    pb::schema::Attribute {
        name: attribute.name.to_owned(),
        r#type: kind,
        nested_type,
        description: attribute.doc.clone(),
        description_kind: pb::StringKind::Markdown.into(),
        required: flags.required,
        optional: flags.optional,
        computed: flags.computed && (stateful || !flags.optional),
        sensitive: flags.sensitive,
        write_only: flags.write_only,
        deprecated: flags.deprecated.is_some(),
        deprecation_message: flags.deprecated.unwrap_or_default().to_owned(),
    }
}

fn object(nesting: Nesting, attributes: &[Attribute], stateful: bool) -> pb::schema::Object {
    let mode = match nesting {
        Nesting::Single => pb::schema::object::NestingMode::Single,
        Nesting::List => pb::schema::object::NestingMode::List,
        Nesting::Set => pb::schema::object::NestingMode::Set,
        Nesting::Map => pb::schema::object::NestingMode::Map,
    };
    pb::schema::Object {
        attributes: attributes.iter().map(|a| attribute(a, stateful)).collect(),
        nesting: mode.into(),
        ..Default::default()
    }
}

/// The identity of a resource: plain attributes, `required` ones are needed for an import.
pub fn identity_schema(attributes: &[Attribute]) -> pb::ResourceIdentitySchema {
    pb::ResourceIdentitySchema {
        version: 0,
        identity_attributes: attributes
            .iter()
            .map(|a| pb::resource_identity_schema::IdentityAttribute {
                name: a.name.to_owned(),
                r#type: type_to_json(&a.shape.wire_type()),
                required_for_import: a.flags.required,
                optional_for_import: !a.flags.required,
                description: a.doc.clone(),
            })
            .collect(),
    }
}

/// A function.
pub fn function(function: &Function) -> pb::Function {
    pb::Function {
        parameters: function.parameters.iter().map(parameter).collect(),
        variadic_parameter: function.variadic.as_ref().map(parameter),
        r#return: Some(pb::function::Return { r#type: type_to_json(&function.returns) }),
        summary: function.summary.to_owned(),
        description: function.description.to_owned(),
        description_kind: pb::StringKind::Markdown.into(),
        deprecation_message: String::new(),
    }
}

fn parameter(parameter: &Parameter) -> pb::function::Parameter {
    pb::function::Parameter {
        name: parameter.name.to_owned(),
        r#type: type_to_json(&parameter.kind),
        allow_null_value: false,
        allow_unknown_values: false,
        description: parameter.description.to_owned(),
        description_kind: pb::StringKind::Markdown.into(),
    }
}

/// Reports as diagnostics.
pub fn diagnostics(reports: Vec<Report>) -> Vec<pb::Diagnostic> {
    reports
        .into_iter()
        .map(|report| pb::Diagnostic {
            severity: match report.severity {
                Severity::Error => pb::diagnostic::Severity::Error,
                Severity::Warning => pb::diagnostic::Severity::Warning,
            }
            .into(),
            summary: report.summary,
            detail: report.detail,
            attribute: report.attribute.as_ref().filter(|p| !p.is_root()).map(path),
        })
        .collect()
}

/// A path.
pub fn path(path: &Path) -> pb::AttributePath {
    use pb::attribute_path::step::Selector;
    pb::AttributePath {
        steps: path
            .steps()
            .iter()
            .map(|step| pb::attribute_path::Step {
                selector: Some(match step {
                    Step::Attribute(name) => Selector::AttributeName(name.clone()),
                    Step::Key(key) => Selector::ElementKeyString(key.clone()),
                    Step::Index(index) => Selector::ElementKeyInt(i64::try_from(*index).unwrap_or(i64::MAX)),
                }),
            })
            .collect(),
    }
}
