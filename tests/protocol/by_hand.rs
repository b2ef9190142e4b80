//! A person runs the program.

use crate::client::command;
use crate::host::{COOKIE, Host};

async fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let output = command(&directory).args(arguments).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn who_starts_it_by_hand_is_told_how_to_use_it() {
    let (code, stdout, stderr) = run(&[]).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("required_providers") && stderr.contains("--debug"), "{stderr}");
    assert!(!stderr.contains("[ERROR]"), "{stderr}");
}

#[tokio::test]
async fn a_wrong_cookie_is_no_cookie() {
    let (code, stderr) = Host::without_tls().variable(COOKIE.0, "wrong").start_in_vain().await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("required_providers"), "{stderr}");
}

#[tokio::test]
async fn the_version_goes_to_standard_output() {
    let (code, stdout, stderr) = run(&["--version"]).await;
    let expected = format!("terraform-provider-rdsaccess {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((code, stdout, stderr.as_str()), (Some(0), expected, ""));
}

#[tokio::test]
async fn help_explains_the_debug_mode() {
    let (code, stdout, _) = run(&["--help"]).await;
    assert_eq!(code, Some(0));
    assert!(stdout.contains("--debug") && stdout.contains("TF_REATTACH_PROVIDERS"), "{stdout}");
}

#[tokio::test]
async fn an_unknown_argument_is_named() {
    let (code, stdout, stderr) = run(&["--verbose"]).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("--verbose") && stderr.contains("--help"), "{stderr}");
}
