//! The pages of `docs/guides`: what stands in a block for Terraform is a configuration that Terraform takes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::aws_connect::copy;
use crate::rig::repository;
use crate::workspace::Workspace;

const BEGIN: &str = "```terraform\n";

fn pages() -> Vec<PathBuf> {
    let guides = fs::read_dir(repository().join("docs/guides")).expect("the guides are there").flatten();
    let mut pages: Vec<PathBuf> = guides.map(|entry| entry.path()).chain([repository().join("README.md")]).collect();
    pages.sort();
    pages
}

/// The blocks of a page for Terraform, without what a list puts before their lines.
fn blocks(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(margin) = line.strip_suffix(BEGIN.trim_end()).filter(|margin| margin.trim().is_empty()) else {
            continue;
        };
        let inside = lines.by_ref().take_while(|line| line.trim() != "```");
        found.push(inside.map(|line| line.strip_prefix(margin).unwrap_or(line).to_owned() + "\n").collect());
    }
    found
}

/// The configurations of a page, each as files: one begins with every block that says which providers it needs, and the blocks
/// below belong to it.
fn configurations(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut all: Vec<BTreeMap<String, String>> = Vec::new();
    for (number, block) in blocks(text).into_iter().enumerate() {
        if all.is_empty() || block.contains("required_providers") {
            all.push(BTreeMap::new());
        }
        let first = block.lines().next().unwrap_or_default();
        let name = first.strip_prefix("# ").filter(|name| name.ends_with(".tf") || name.ends_with(".tfvars"));
        let name = name.map_or_else(|| format!("block_{number}.tf"), str::to_owned);
        all.last_mut().expect("one has begun").insert(name, block);
    }
    all
}

#[test]
fn every_block_of_the_guides_is_valid() {
    let mut problems = Vec::new();
    let mut checked = 0;
    for page in pages() {
        for files in configurations(&fs::read_to_string(&page).expect("the page is read")) {
            let workspace = Workspace::offline();
            // What the pages take for granted: a copy of the module, and a certificate.
            copy(&workspace, "modules/aws-connect", "aws-connect");
            workspace.write("ca.pem", "a certificate");
            for (name, text) in &files {
                workspace.write(name, text);
            }
            checked += files.len();
            let commands: [&[&str]; 3] =
                [&["init", "-input=false", "-no-color"], &["validate", "-no-color"], &["fmt", "-check", "-diff"]];
            let run = commands.into_iter().map(|arguments| workspace.run(arguments)).find(|run| run.code != 0);
            if let Some(run) = run {
                problems.push(format!("{} {:?}\n{}\n{}", page.display(), files.keys(), run.stdout, run.stderr));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(checked >= 9, "{checked} blocks");
}

#[test]
fn blocks_are_found_in_lists_too_and_belong_together() {
    let text = "```terraform\nterraform {\n  required_providers {}\n}\n```\n\n- one\n\n   ```terraform\n   # two.tf\n   locals {\n     a = 1\n   }\n   \
                ```\n\n```shell\nls\n```\n\n```terraform\nterraform { required_providers {} }\n```\n";
    let found = configurations(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0]["two.tf"], "# two.tf\nlocals {\n  a = 1\n}\n");
    assert_eq!(found[0].len(), 2, "{found:?}");
}
