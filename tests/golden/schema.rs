//! Rules that Terraform checks when it loads a schema, checked for every object before a user sees them.

use rdsaccess::provider::{ProviderModel, Rdsaccess, Variables};
use rdsaccess::schema::{Attribute, Model, Nesting, Provider, Shape};

/// Names that Terraform keeps for itself.
const RESERVED: [&str; 8] =
    ["count", "for_each", "depends_on", "provider", "lifecycle", "connection", "provisioner", "source"];

fn check(owner: &str, attributes: &[Attribute], inside_set: bool, wrong: &mut Vec<String>) {
    for attribute in attributes {
        let name = format!("{owner}.{}", attribute.name);
        let flags = &attribute.flags;
        let mut rule = |broken: bool, text: &str| {
            if broken {
                wrong.push(format!("{name}: {text}"));
            }
        };
        rule(!flags.required && !flags.optional && !flags.computed, "must be required, optional or computed");
        rule(flags.required && (flags.optional || flags.computed), "required excludes optional and computed");
        rule(flags.write_only && (flags.computed || inside_set), "write-only is never computed nor in a set");
        rule(flags.default.is_some() && !flags.optional, "only what is optional has a default");
        // Inside of an object every name is free.
        rule(RESERVED.contains(&attribute.name) && !owner.contains('.'), "the name belongs to Terraform");
        if let Shape::Nested(nesting, nested) = &attribute.shape {
            check(&name, nested, inside_set || *nesting == Nesting::Set, wrong);
        }
    }
}

#[test]
fn terraform_would_load_every_schema() {
    let provider = Rdsaccess::new(Variables::default());
    let mut wrong = Vec::new();
    check("provider", &ProviderModel::attributes(), false, &mut wrong);
    for resource in provider.resources() {
        check(resource.name(), &resource.attributes(), false, &mut wrong);
        for attribute in resource.attributes() {
            let kept = attribute.flags.default.is_none() || attribute.flags.computed;
            if !kept {
                wrong.push(format!("{}.{}: a default of a resource must be computed", resource.name(), attribute.name));
            }
        }
    }
    provider.data_sources().iter().for_each(|d| check(d.name(), &d.attributes(), false, &mut wrong));
    provider.ephemerals().iter().for_each(|e| check(e.name(), &e.attributes(), false, &mut wrong));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
