//! The floors of the house: an import only ever points down.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::switch::root;

/// The floors from the lowest. Modules of one floor do not import each other, but for the pairs in `NEIGHBOURS`.
const FLOORS: [&[&str]; 9] = [
    &["value"],
    &["access", "report", "schema"],
    &["engine", "aws", "gateway", "network", "notify"],
    &["store"],
    &["context"],
    &["protocol", "resources", "data_sources", "ephemeral", "functions"],
    &["provider", "plugin"],
    &["lib"],
    &["main"],
];

/// Imports inside a floor that the design foresees: the schema declares attributes of domain types and reports
/// problems. `access` imports none of its neighbours. Who speaks HTTP gets its client where trust is decided.
const NEIGHBOURS: [(&str, &str); 4] =
    [("schema", "access"), ("schema", "report"), ("gateway", "network"), ("notify", "network")];

/// In lines. A longer file is several.
const LARGEST_FILE: usize = 800;

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

pub(crate) fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    rust_files(&root().join("src"), &mut found);
    found.sort();
    found
}

/// The module that a file belongs to: the first part of its path below `src`.
fn module(file: &Path) -> String {
    let below = file.strip_prefix(root().join("src")).unwrap();
    below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The modules that a text imports: what follows `crate::` outside of comments, and, in `main`, the crate's name.
fn imports(text: &str, file: &str) -> Vec<String> {
    let word = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for line in text.lines().map(|line| line.split("//").next().unwrap_or_default()) {
        let marker = if file == "main" { "rdsaccess::" } else { "crate::" };
        found.extend(line.split(marker).skip(1).map(word).filter(|module| !module.is_empty()));
        found.extend(line.split("crate::{").skip(1).flat_map(|list| list.split(',').map(|m| word(m.trim_start()))));
    }
    found.retain(|module| !module.is_empty());
    found
}

#[test]
fn imports_only_point_down() {
    let floors: BTreeMap<&str, usize> =
        FLOORS.iter().enumerate().flat_map(|(floor, modules)| modules.iter().map(move |m| (*m, floor))).collect();
    let mut wrong = Vec::new();
    for file in sources() {
        let module = module(&file);
        let floor = floors.get(module.as_str()).unwrap_or_else(|| panic!("`{module}` stands on no floor"));
        for import in imports(&std::fs::read_to_string(&file).unwrap(), &module) {
            let Some(below) = floors.get(import.as_str()) else { continue };
            let neighbour = NEIGHBOURS.contains(&(module.as_str(), import.as_str()));
            if import != module && below >= floor && !neighbour {
                wrong.push(format!("{}: {module} must not import {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_import_reader_sees_what_it_should() {
    assert_eq!(
        imports("use crate::aws::Error; // crate::store\nlet x = crate::value::Value::Null;", "x"),
        ["aws", "value"]
    );
    assert_eq!(imports("use crate::{access, report};", "x"), ["access", "report"]);
    assert_eq!(imports("use rdsaccess::plugin::run;", "main"), ["plugin"]);
}

/// What the objects know of an engine or a store is its trait: another one is a folder and an arm, nothing up here.
#[test]
fn no_object_knows_an_engine_or_a_store_by_name() {
    const NAMES: [&str; 5] =
        ["engine::postgres", "engine::mysql", "engine::sqlserver", "store::secrets_manager", "store::vault"];
    let above = ["resources", "data_sources", "ephemeral", "functions", "protocol", "plugin"];
    let mut looked = 0;
    for file in sources().iter().filter(|file| above.contains(&module(file).as_str())) {
        let text = std::fs::read_to_string(file).unwrap();
        for name in NAMES {
            assert!(!text.contains(&format!("crate::{name}")), "{} imports {name}", file.display());
        }
        looked += 1;
    }
    assert!(looked > 100, "the sources are found");
}

#[test]
fn the_table_of_the_crate_names_every_module() {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let there: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let said: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("//! | [`")?.split('`').next()).collect();
    assert!(said == there && there.len() > 10, "the table in src/lib.rs is wrong about {:?}", &said ^ &there);
}

/// The engines' files as the table of the module says, and as they are.
#[test]
fn the_table_of_the_engines_files_is_true() {
    const ENGINES: [&str; 3] = ["postgres", "mysql", "sqlserver"];
    let text = std::fs::read_to_string(root().join("src/engine/mod.rs")).unwrap();
    let mut said = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("//! | `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        for name in cells[0].split(',').map(|name| name.trim().trim_matches('`')) {
            let held = ENGINES.iter().zip(&cells[2..]).filter(|(_, cell)| **cell == "x");
            said.extend(held.map(|(engine, _)| format!("{engine}/{name}")));
        }
    }
    let mut there = BTreeSet::new();
    for engine in ENGINES {
        for entry in std::fs::read_dir(root().join("src/engine").join(engine)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let is_code = path.extension().is_some_and(|e| e == "rs") && !["mod", "tests"].contains(&name.as_str());
            there.extend(is_code.then(|| format!("{engine}/{name}")));
        }
    }
    let wrong: Vec<_> = said.symmetric_difference(&there).collect();
    assert!(wrong.is_empty() && there.len() > 40, "the table in src/engine/mod.rs is wrong about {wrong:?}");
}

/// Nothing in the provider may end its process because a value is missing: the lints see to it, and nothing lifts them.
#[test]
fn unwrapping_and_panics_are_refused_by_lint() {
    const LINTS: [&str; 3] = ["unwrap_used", "expect_used", "panic"];
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let (manifest, makefile) = (read("Cargo.toml"), read("Makefile"));
    for lint in LINTS {
        assert!(manifest.contains(&format!("\n{lint} = \"warn\"\n")), "{lint} is off");
    }
    assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "the package has the lints of the workspace");
    assert!(makefile.contains("cargo clippy --workspace --all-targets -- -D warnings"), "a warning is an error");
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        let lifted = LINTS.iter().find(|lint| text.contains(&format!("clippy::{lint}")));
        assert_eq!(lifted, None, "{} lifts a lint", file.display());
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut files = sources();
    rust_files(&root().join("tests"), &mut files);
    rust_files(&root().join("proto"), &mut files);
    let long: Vec<String> = files
        .iter()
        .map(|file| (file, std::fs::read_to_string(file).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LARGEST_FILE)
        .map(|(file, lines)| format!("{} has {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
