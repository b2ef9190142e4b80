//! The hook script of Hoop's documentation runs unchanged, so it must be unchanged.

use sha2::{Digest, Sha256};

use crate::switch::root;

#[test]
fn the_documented_hook_script_is_unchanged() {
    let folder = root().join("tests/fakes/hoop-hooks");
    let script = std::fs::read(folder.join("aws-connect-post-exec.runbook.py")).unwrap();
    let sha256: String = Sha256::digest(&script).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sha256, "009f3424fa5217444494463f9925bd6afb74b44174f2ad5501ae5dd1318c3a74", "edited by hand");
    let provenance = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(provenance.contains(&sha256), "README.md beside the script names another sha256");
}
