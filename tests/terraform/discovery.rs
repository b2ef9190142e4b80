//! Finding accounts and databases with the data sources, by the real `terraform` against the fake AWS.

mod access;
mod accounts;
mod fan_out;
mod instances;
mod kinds;
mod places;
mod shard;
mod tree;

use serde_json::Value;

use crate::rig::Rig;
use crate::workspace::{Run, Workspace};

/// A workspace with the provider block, which takes further arguments, and a configuration.
fn workspace<'a>(rig: &'a Rig, provider_arguments: &str, configuration: &str) -> Workspace<'a> {
    let workspace = Workspace::new(rig);
    write_provider(&workspace, rig, provider_arguments);
    workspace.write("main.tf", configuration);
    workspace.init().ok();
    workspace
}

fn write_provider(workspace: &Workspace<'_>, rig: &Rig, arguments: &str) {
    let text = "terraform {\n  required_providers {\n    rdsaccess = { source = \"rdsaccess/rdsaccess\" }\n  }\n}\n\n";
    workspace.write("provider.tf", &format!("{text}{}", provider_block(rig, arguments)));
}

/// The provider block that reaches the fake AWS.
fn provider_block(rig: &Rig, arguments: &str) -> String {
    let services = ["rds", "ec2", "sts", "organizations", "secretsmanager"];
    let endpoints: String = services.iter().map(|name| format!("    {name} = {:?}\n", rig.made.endpoint)).collect();
    format!(
        "provider \"rdsaccess\" {{\n  region     = {:?}\n  access_key = {:?}\n  secret_key = {:?}\n  endpoints  = \
         {{\n{endpoints}  }}\n{arguments}\n}}\n",
        rig.made.region, rig.made.access_key, rig.made.secret_key
    )
}

/// The values of a data source in the state.
fn data(workspace: &Workspace<'_>, address: &str) -> Value {
    workspace.resource(&format!("data.{address}")).unwrap_or_else(|| panic!("data.{address} is not in the state"))
}

/// The keys of a map, or the elements of a set of texts.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(entries) => entries.keys().map(String::as_str).collect(),
        Value::Array(elements) => elements.iter().filter_map(Value::as_str).collect(),
        other => panic!("neither a map nor a set: {other}"),
    }
}

/// The handle of an account: its name and its id in base 36.
fn handle(name: &str, id: &str) -> String {
    let number: u64 = id.parse().expect("twelve digits");
    let digit = |place| char::from_digit(u32::try_from(number / 36_u64.pow(place) % 36).unwrap(), 36).unwrap();
    format!("{name}-{}", (0..8).rev().map(digit).collect::<String>())
}

/// How many errors a command reported.
fn errors(run: &Run) -> usize {
    run.stderr.matches("Error: ").count()
}

fn contains_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}
