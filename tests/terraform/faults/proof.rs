//! The page that the table of kills is written to.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::stage::Engine;

/// One kill.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was under way
    pub(crate) what: String,
    /// The effect after which the process was killed
    pub(crate) effect: String,
    /// What whoever reads the store gets until it is repaired
    pub(crate) readers: &'static str,
    /// What repaired it
    pub(crate) recovered_by: &'static str,
}

/// Prints the table and compares it with the checked-in page; `part` tells the pages of one engine and store apart.
#[expect(clippy::print_stdout, reason = "the table is what the test shows")]
pub(crate) fn compare(engine: Engine, store: &str, part: &str, rows: &[Row]) {
    let text = page(engine, store, rows);
    println!("{text}");
    let name = format!("{} {store} {part}", engine.name()).trim_end().to_lowercase().replace(' ', "-") + ".md";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/terraform/faults/proof").join(name);
    if std::env::var_os("RDSACCESS_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let promised = fs::read_to_string(&path).unwrap_or_default();
    assert!(promised == text, "{} is out of date: run with RDSACCESS_UPDATE=1 and look at it", path.display());
}

fn page(engine: Engine, store: &str, rows: &[Row]) -> String {
    let mut out = format!(
        "# Killed after every single effect: {}, {store}\n\nWritten by the tests: the provider process got SIGKILL \
         after each change that the logs of the servers show, before it had the answer. Then everything was applied \
         again: the current stored password logs in, no version is left over, the second plan is empty.\n",
        engine.name()
    );
    if !engine.proviso().is_empty() {
        let _ = write!(out, "\n{}\n", engine.proviso());
    }
    let mut what = "";
    for row in rows {
        if row.what != what {
            what = &row.what;
            let head = "| killed after | store | the stored password until then | recovered by | locked out |\n|---|---|---|---|---|";
            let _ = write!(out, "\n## {what}\n\n{head}\n");
        }
        let _ = writeln!(out, "| {} | {store} | {} | {} | never |", row.effect, row.readers, row.recovered_by);
    }
    out
}
