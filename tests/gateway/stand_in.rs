//! The stand-in itself, asked by a client that is not ours.

use std::process::Command;

#[test]
fn curl_gets_the_answers_of_the_real_gateway() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakes/gateway/check.sh");
    let missing = "sh and curl ask the stand-in: `apt-get install curl`";
    assert!(Command::new("curl").arg("--version").output().is_ok(), "{missing}");
    let run = Command::new("sh").arg(script).output().expect(missing);
    let text = [run.stdout, run.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(run.status.success(), "{text}");
}
