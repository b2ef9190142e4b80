//! The proof on paper: what was tried at which level, and what the server answered.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use rdsaccess::access::Access;

use super::subject::{Outcome, Refusal, Row};

/// One row with what each level got.
pub(crate) struct Tried {
    pub(crate) row: Row,
    /// In the order of [`Access::ALL`]; `None` for a statement that was done and changed nothing
    pub(crate) got: Vec<Option<Outcome>>,
}

impl Tried {
    /// What differs from the promise, per level.
    pub(crate) fn broken(&self) -> Vec<String> {
        let levels = Access::ALL.into_iter().zip(&self.got);
        let wrong = levels.filter(|(level, got)| !self.is_right(*level, got.as_ref()));
        wrong.map(|(level, got)| format!("{level}: `{}` is {}", self.row.sql, cell(got.as_ref()))).collect()
    }

    fn is_right(&self, level: Access, got: Option<&Outcome>) -> bool {
        if self.row.from.is_some_and(|from| level >= from) {
            return got == Some(&Outcome::Allowed);
        }
        match (self.row.refusal, got) {
            (Refusal::Denied(codes), Some(Outcome::Denied(given))) => codes.split('/').any(|code| code == given),
            (Refusal::Idle(_), None) => true,
            _ => false,
        }
    }
}

fn cell(got: Option<&Outcome>) -> String {
    match got {
        None => "no effect".to_owned(),
        Some(Outcome::Failed(code, _)) => format!("fails ({code})"),
        Some(other) => other.to_string(),
    }
}

/// Writes the table beside the build, for people.
pub(crate) fn write(label: &str, tried: &[Tried]) {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("proof");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(format!("{label}.md")), page(label, tried)).unwrap();
}

/// Compares the table with the promise, where there is one for this server.
pub(crate) fn compare(label: &str, tried: &[Tried]) {
    let (text, promise) = (page(label, tried), promise(label));
    if std::env::var_os("RDSACCESS_UPDATE").is_some() && promise.exists() {
        fs::write(&promise, &text).unwrap();
    }
    if let Ok(promised) = fs::read_to_string(&promise) {
        assert!(promised == text, "{} is out of date: run with RDSACCESS_UPDATE=1 and look at it", promise.display());
    }
}

fn promise(label: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines/conformance/proof").join(format!("{label}.md"))
}

fn page(label: &str, tried: &[Tried]) -> String {
    let mut out = format!(
        "# What each level may do: {label}\n\nWritten by the conformance suite: each statement was tried as a role of \
         each level on a real server.\n"
    );
    let mut area = "";
    for Tried { row, got } in tried {
        if row.area != area {
            area = row.area;
            let _ = write!(out, "\n## {area}\n\n| statement | read_only | read_write | ddl |\n|---|---|---|---|\n");
        }
        let sql = row.shown.unwrap_or(&row.sql).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        let cells: Vec<String> = got.iter().map(|got| cell(got.as_ref())).collect();
        let _ = writeln!(out, "| `` {sql} `` | {} |", cells.join(" | "));
    }
    out
}
