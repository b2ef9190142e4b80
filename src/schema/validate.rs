//! Checks of a configuration against its declarations. Unknown values are never judged.

use crate::report::{Report, Severity};
use crate::value::{Path, Value};

use super::attribute::{Attribute, walk};
use super::model::{Model, decode_object};

/// Checks a configuration and reads it.
///
/// `write_only_allowed` is what the client announced; a client that does not announce write-only support would keep
/// the secret in its state, so it is refused by name.
pub fn validate<M: Model>(config: &Value, write_only_allowed: bool) -> (M, Vec<Report>) {
    let mut reports = Vec::new();
    let model = decode_object::<M>(config, &Path::root(), &mut reports);
    walk(&M::attributes(), config, &Path::root(), &mut |attribute, value, path| {
        if !value.is_null() {
            reports.extend(check(attribute, value, path, write_only_allowed));
        }
    });
    (model, reports)
}

fn check(attribute: &Attribute, value: &Value, path: &Path, write_only_allowed: bool) -> Vec<Report> {
    let flags = &attribute.flags;
    let mut reports = Vec::new();
    if flags.computed && !flags.optional {
        reports.push(
            Report::error(
                format!("`{path}` cannot be set"),
                format!("`{path}` is a result: the provider sets it. Remove it from the configuration."),
            )
            .at(path.clone()),
        );
    }
    if flags.write_only && !write_only_allowed {
        reports.push(
            Report::error(
                format!("This client does not support the write-only argument `{path}`"),
                format!(
                    "The client did not announce support for write-only arguments and would keep `{path}` in its \
                     state. Use Terraform 1.11 or OpenTofu 1.11, or a later version, or leave `{path}` out."
                ),
            )
            .at(path.clone()),
        );
    }
    if let Some(instead) = flags.deprecated {
        reports.push(Report::warning(format!("`{path}` is deprecated"), instead).at(path.clone()));
    }
    if !value.is_unknown() {
        reports.extend(flags.checks.iter().filter(|c| !c.holds(value)).map(|c| {
            Report::error(format!("Invalid value for `{path}`"), format!("The value must be {}.", c.expected))
                .at(path.clone())
        }));
    }
    reports
}

/// Whether one of the reports stops the run.
pub fn has_errors(reports: &[Report]) -> bool {
    reports.iter().any(|r| r.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::access::Arn;
    use crate::model;

    model! {
        /// An object with every kind of attribute.
        struct Example {
            /// The database.
            target_arn: Arn = required().replace(),
            /// A number.
            size: i64 = optional().between(8, 128),
            /// A result.
            id: String = computed(),
            /// A secret.
            password_wo: String = optional().write_only(),
        }
    }

    fn config(fields: &[(&str, Value)]) -> Value {
        let mut all: BTreeMap<String, Value> =
            Example::attributes().iter().map(|a| (a.name.to_owned(), Value::Null)).collect();
        all.extend(fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
        Value::Object(all)
    }

    fn errors(fields: &[(&str, Value)], write_only: bool) -> Vec<String> {
        validate::<Example>(&config(fields), write_only).1.into_iter().map(|r| r.to_string()).collect()
    }

    #[test]
    fn a_value_on_a_result_is_refused() {
        assert!(errors(&[("id", "x".into())], true)[0].contains("`id` cannot be set"));
    }

    #[test]
    fn a_client_without_write_only_support_is_refused_by_name() {
        assert!(errors(&[("password_wo", "x".into())], false)[0].contains("write-only argument `password_wo`"));
        assert!(errors(&[("password_wo", "x".into())], true).is_empty());
    }

    #[test]
    fn unknown_values_are_never_judged() {
        assert!(errors(&[("target_arn", Value::unknown()), ("size", Value::unknown())], true).is_empty());
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_path() {
        let found = errors(&[("target_arn", "nonsense".into()), ("size", 5.into())], true);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("`target_arn`"), "{found:?}");
        assert!(found[1].contains("between 8 and 128"), "{found:?}");
    }
}
