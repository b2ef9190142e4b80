//! Comparison of a generated text with its committed file, with a switch that writes the file instead.

use std::path::Path;

/// Compares a text with a file of the repository; with `RDSACCESS_UPDATE=1` it writes the file.
pub(crate) fn compare(path: &Path, generated: &str) -> Result<(), String> {
    if std::env::vars_os().any(|(name, value)| name == "RDSACCESS_UPDATE" && value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, generated).unwrap();
        return Ok(());
    }
    match std::fs::read_to_string(path) {
        Ok(committed) if committed == generated => Ok(()),
        Ok(_) => Err(format!("{} is not current: run `make docs`", path.display())),
        Err(error) => Err(format!("{}: {error}: run `make docs`", path.display())),
    }
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
