//! Tokens of IAM authentication, made by botocore as a member of the organization would make them.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::rig::{Database, Rig, fakes, python};

/// A token for a user of the database, signed by a new session of the member role in the database's account.
pub(crate) fn token(rig: &Rig, database: &Database, user: &str) -> String {
    token_signed_in(rig, &database.account_id, database, user)
}

/// The same, signed by a session in any account.
pub(crate) fn token_signed_in(rig: &Rig, account_id: &str, database: &Database, user: &str) -> String {
    let organization = &rig.made.organization;
    let mut asked = json!({
        "RoleArn": format!("arn:aws:iam::{account_id}:role/{}", organization.member_role),
        "RoleSessionName": "token",
    });
    if let Some(id) = &organization.external_id {
        asked["ExternalId"] = json!(id);
    }
    let session = rig.aws(None, &rig.made.region, "sts", "assume_role", &asked).expect("the hub enters every account");
    made(&session["Credentials"], database, user)
}

fn made(credentials: &Value, database: &Database, user: &str) -> String {
    let wish = json!({
        "host": database.endpoint, "port": database.port, "user": user, "region": database.region,
        "access_key": credentials["AccessKeyId"], "secret_key": credentials["SecretAccessKey"],
        "session_token": credentials["SessionToken"],
    });
    let mut child = python()
        .arg(fakes().join("databases/make_token.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs: scripts/install makes its environment");
    writeln!(child.stdin.take().expect("a pipe"), "{wish}").expect("make_token.py reads its input");
    let output = child.wait_with_output().expect("make_token.py ends");
    let token = String::from_utf8(output.stdout).expect("a token is text").trim().to_owned();
    assert!(token.contains("X-Amz-Signature="), "botocore made no token");
    token
}
