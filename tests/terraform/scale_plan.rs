//! What a plan without changes costs: the provider's processes beside Terraform itself, and beside a plan of as many
//! resources of Terraform's own provider, which does nothing.

use crate::crowd::{Watched, watch};
use crate::scale::{configuration, fleet};
use crate::workspace::Workspace;

/// Three roles for each database.
const LEVELS: usize = 3;
const PLAN: [&str; 5] = ["plan", "-detailed-exitcode", "-input=false", "-no-color", "-parallelism=50"];
const APPLY: [&str; 5] = ["apply", "-auto-approve", "-input=false", "-no-color", "-parallelism=50"];

/// `RDSACCESS_BENCH_TARGETS`: how many databases.
fn targets() -> usize {
    let named = std::env::vars().find(|(name, _)| name == "RDSACCESS_BENCH_TARGETS");
    named.map_or(1000, |(_, number)| number.parse().expect("a number of databases"))
}

#[expect(clippy::print_stdout, reason = "the row is what the benchmark is run for")]
fn show(what: &str, resources: usize, watched: &Watched) {
    let Watched { time, memory, provider_cpu, terraform_cpu, terraform_memory, .. } = watched;
    let each = provider_cpu.as_micros() / resources as u128;
    println!(
        "{what:<34} {:>7} ms, provider {:>6} ms CPU ({each} us a role) {memory:>4} MiB, \
         terraform {:>6} ms CPU {terraform_memory:>4} MiB",
        time.as_millis(),
        provider_cpu.as_millis(),
        terraform_cpu.as_millis(),
    );
}

/// Runs a command that must succeed: a plan with `-detailed-exitcode` that finds a change does not.
fn step(workspace: &Workspace<'_>, arguments: &[&str]) -> Watched {
    let watched = watch(workspace, arguments);
    assert_eq!(watched.run.code, 0, "{}\n{}", watched.run.stdout, watched.run.stderr);
    watched
}

/// As many resources of the provider that is built into Terraform.
fn with_nothing(resources: usize) -> Watched {
    let workspace = Workspace::offline();
    let text = format!(
        "resource \"terraform_data\" \"it\" {{\n  for_each = toset([for n in range({resources}) : tostring(n)])\n  \
         input    = each.key\n}}\n"
    );
    workspace.write("main.tf", &text);
    step(&workspace, &APPLY);
    step(&workspace, &PLAN)
}

fn all_of_it(targets: usize) {
    let resources = LEVELS * targets;
    let rig = fleet(targets);
    let mut workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, 0));
    let applied = step(&workspace, &APPLY);
    assert!(applied.run.stdout.contains(&format!("{resources} added, 0 changed")), "{}", applied.run.stdout);
    show(&format!("{resources} roles, apply"), resources, &applied);
    show(&format!("{resources} roles, plan"), resources, &step(&workspace, &PLAN));
    workspace.set("RDSACCESS_REFRESH", "aws");
    show(&format!("{resources} roles, plan, refresh = aws"), resources, &step(&workspace, &PLAN));
    show(&format!("{resources} of terraform_data, plan"), resources, &with_nothing(resources));
}

/// Three roles on each of a thousand databases.
#[test]
#[ignore = "it takes minutes: make bench"]
fn a_plan_without_changes() {
    all_of_it(targets());
}
