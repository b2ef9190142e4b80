//! What the scripts must not do to a machine.

use std::path::Path;
use std::process::Command;

use crate::switch::root;

/// A checkout with nothing but the script, whose `.venv` is a link to an environment that somebody else uses.
fn checkout(folder: &Path, elsewhere: &Path) {
    for part in ["scripts", "tests"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    std::fs::copy(root().join("scripts/install"), folder.join("scripts/install")).unwrap();
    std::fs::write(folder.join("tests/requirements.txt"), "of-this-checkout==1\n").unwrap();
    std::fs::write(elsewhere.join("installed"), "of-another-checkout==1\n").unwrap();
    std::os::unix::fs::symlink(elsewhere, folder.join(".venv")).unwrap();
}

#[test]
fn an_environment_behind_a_link_is_not_emptied() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    checkout(folder.path(), elsewhere.path());
    let run = Command::new(folder.path().join("scripts/install")).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(1), "{said}");
    for words in [".venv is a link to", &elsewhere.path().display().to_string(), "rm .venv"] {
        assert!(said.contains(words), "{words} is not in: {said}");
    }
    let kept = std::fs::read_to_string(elsewhere.path().join("installed")).unwrap();
    assert_eq!(kept, "of-another-checkout==1\n");
}
