//! The workflows of CI: they run what everybody runs, and no action can change under them.

use std::fs;
use std::path::PathBuf;

use crate::switch::root;

fn workflows() -> Vec<(PathBuf, String)> {
    let folder = root().join(".github/workflows");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

/// A full commit, and behind it the version for people: tags can be moved.
fn is_pinned(action: &str) -> bool {
    let Some((_, pin)) = action.split_once('@') else { return action.starts_with("./") };
    let Some((commit, version)) = pin.split_once(" # v") else { return false };
    commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()) && version.split('.').count() == 3
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    assert!(!is_pinned("actions/checkout@v7") && !is_pinned("actions/checkout@v7.0.1 # v7.0.1"));
    let mut pins = 0;
    for (path, text) in workflows() {
        for action in text.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("uses: "))
        {
            assert!(is_pinned(action), "{}: {action}", path.display());
            pins += 1;
        }
    }
    assert!(pins > 5, "the workflows use actions");
}

#[test]
fn every_workflow_asks_for_reading_only_and_gives_more_where_it_is_needed() {
    for (path, text) in workflows() {
        assert!(text.contains("\npermissions:\n  contents: read\n"), "{}", path.display());
        assert!(text.contains("\nconcurrency:\n"), "{}", path.display());
    }
}

#[test]
fn ci_runs_what_everybody_runs_and_brings_what_a_runner_lacks() {
    let test = fs::read_to_string(root().join(".github/workflows/test.yml")).unwrap();
    for needed in ["run: .ci/run", "hashicorp/setup-terraform@", "terraform_wrapper: false", "tool: cargo-nextest"] {
        assert!(test.contains(needed), "{needed}");
    }
    // As root the user's toolchain is out of sight.
    assert!(!test.contains("sudo make"));
}
