//! The stand-in itself, asked by clients that are not ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fake(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fakes/gateway").join(file)
}

fn said(run: &Output) -> String {
    [&run.stdout, &run.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn curl_gets_the_answers_of_the_real_gateway() {
    let missing = "sh and curl ask the stand-in: `apt-get install curl`";
    assert!(Command::new("curl").arg("--version").output().is_ok(), "{missing}");
    let run = Command::new("sh").arg(fake("check.sh")).output().expect(missing);
    assert!(run.status.success(), "{}", said(&run));
}

/// Schemathesis makes requests from what Hoop publishes about its API, and judges the answers by it.
fn schemathesis(arguments: &[&Path]) {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let run = Command::new(&python).arg("-B").arg(fake("foreign.py")).args(arguments).output();
    let run = run.unwrap_or_else(|error| panic!("{}: {error}: run `make install`", python.display()));
    assert!(run.status.success(), "{}", said(&run));
}

#[test]
fn schemathesis_finds_every_answer_as_hoop_publishes_it() {
    schemathesis(&[]);
}

/// The document is Hoop's and no part of this project: `RDSACCESS_HOOP_OPENAPI` names a copy.
#[test]
fn the_examples_of_hoops_own_document_are_taken() {
    let Some(document) = std::env::var_os("RDSACCESS_HOOP_OPENAPI").filter(|path| !path.is_empty()) else {
        eprintln!("skipped: RDSACCESS_HOOP_OPENAPI names no copy of Hoop's openapiv3.json");
        return;
    };
    schemathesis(&[Path::new(&document)]);
}
