//! The page that answers Hoop's AWS Connect row by row: each row names tests, and they are there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::switch::root;

const PAGE: &str = "docs/guides/hoop-aws-connect.md";
const STEPS: usize = 22;
const WEAKNESSES: usize = 23;

/// A row of a table of the page, by its cells.
type Row = Vec<String>;

/// The rows of the table below a heading, without its head.
fn rows(page: &str, heading: &str) -> Vec<Row> {
    let (_, below) = page.split_once(&format!("\n## {heading}\n")).expect("the page has the heading");
    let part = below.split("\n## ").next().unwrap_or_default();
    let lines = part.lines().filter(|line| line.starts_with('|')).skip(2);
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The tests that a row names in its last cell; anything else there is an error.
fn named(row: &Row) -> Vec<String> {
    let cell = row.last().map(String::as_str).unwrap_or_default();
    let tests: Vec<String> =
        cell.split('`').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
    assert!(!tests.is_empty() && tests.iter().all(|test| test.contains("::")), "no tests in the last cell of {row:?}");
    tests
}

fn page() -> String {
    std::fs::read_to_string(root().join(PAGE)).expect("the page is there")
}

/// Every test of the project, as `binary::module::name`; those of the library begin with `source`.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (folder, first) in [("tests", None), ("src", Some("source"))] {
        let folder = root().join(folder);
        let mut files = Vec::new();
        rust_files(&folder, &mut files);
        for file in files {
            let module = module(file.strip_prefix(&folder).expect("it is below"), first);
            let text = std::fs::read_to_string(&file).expect("the source is read");
            let names = names(&text, |name| in_suite(&file, name));
            found.extend(names.into_iter().map(|name| format!("{module}::{name}")));
        }
    }
    found
}

/// The tests of all engines are plain functions: a line of the suite makes a test of each for every engine.
fn in_suite(file: &Path, name: &str) -> bool {
    let list = root().join("tests/engines/conformance/mod.rs");
    let suite = std::fs::read_to_string(list).expect("the suite is read");
    let topic = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    file.parent().is_some_and(|folder| folder.ends_with("engines/conformance"))
        && suite.contains(&format!(", {topic}, {name});"))
}

fn module(file: &Path, first: Option<&str>) -> String {
    let parts = file.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned());
    let parts = parts.filter(|part| !["mod", "main"].contains(&part.as_str()));
    first.map(str::to_owned).into_iter().chain(parts).collect::<Vec<_>>().join("::")
}

/// The functions that an attribute makes tests, and those of the suite.
fn names(text: &str, in_suite: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim_start) {
        let is_ignored = line.starts_with("#[ignore");
        marked = !is_ignored && (marked || line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        let Some((_, after)) = line.split_once("fn ") else { continue };
        let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        found.extend((marked || in_suite(&name)).then_some(name));
        marked = false;
    }
    found
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).expect("the folder is read").flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let (page, tests) = (page(), tests());
    let rows = [rows(&page, "Steps of the wizard"), rows(&page, "Weaknesses, and what happens here")].concat();
    let missing: Vec<String> = rows.iter().flat_map(named).filter(|test| !tests.contains(test)).collect();
    assert!(missing.is_empty(), "{PAGE} names tests that are not there: {missing:#?}");
}

#[test]
fn every_step_and_every_weakness_has_its_row() {
    let page = page();
    let steps = rows(&page, "Steps of the wizard");
    assert!(steps.len() == STEPS && steps.iter().all(|row| row.len() == 3), "{} steps", steps.len());
    let weaknesses = rows(&page, "Weaknesses, and what happens here");
    let numbers: Vec<&str> = weaknesses.iter().map(|row| row[0].as_str()).collect();
    let wanted: Vec<String> = (1..=WEAKNESSES).map(|number| number.to_string()).collect();
    assert_eq!(numbers, wanted);
    assert!(weaknesses.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())));
}

#[test]
fn the_reader_of_tests_sees_tests_and_nothing_else() {
    let text = "#[test]\nfn a_test() {}\n#[test]\n#[ignore = \"slow\"]\nfn b_test() {}\nfn helper() {}\n\
                #[tokio::test(flavor = \"multi_thread\")]\nasync fn c_test() {}\npub(crate) async fn case() {}\n";
    assert_eq!(names(text, |_| false), ["a_test", "c_test"]);
    assert_eq!(names(text, |name| name == "case"), ["a_test", "c_test", "case"]);
    assert_eq!(module(Path::new("terraform/hub/roles.rs"), None), "terraform::hub::roles");
    assert_eq!(module(Path::new("engines/conformance/mod.rs"), None), "engines::conformance");
    assert!(tests().contains("golden::connect::the_reader_of_tests_sees_tests_and_nothing_else"));
}
