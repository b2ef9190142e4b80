//! An OpenID Connect issuer, as a CI system is one, and a role in the hub's account that trusts it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::iam;
use crate::rig::{Rig, fakes, python};

/// The issuer that the hub's account knows.
pub(super) const ISSUER: &str = "https://token.ci.example.com";
/// The subject that the role trusts.
pub(super) const SUBJECT: &str = "repo:acme/infra:ref:refs/heads/main";

/// The program `aws.issuer`: it answers line by line, and ends when its standard input is closed.
pub(super) struct Ci {
    program: Mutex<(Child, ChildStdin, BufReader<ChildStdout>)>,
    pub(super) role_arn: String,
}

impl Ci {
    /// Makes the issuer known to the hub's account, and a role `ci` there that trusts the main branch.
    pub(super) fn start(rig: &Rig) -> Self {
        let provider = json!({ "Url": ISSUER, "ClientIDList": ["sts.amazonaws.com"] });
        let provider = iam(rig, "create_open_id_connect_provider", &provider)["OpenIDConnectProviderArn"].clone();
        let name = ISSUER.trim_start_matches("https://");
        let statement = json!({
            "Effect": "Allow", "Principal": { "Federated": provider }, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": { "StringEquals": {
                format!("{name}:aud"): "sts.amazonaws.com", format!("{name}:sub"): SUBJECT,
            }},
        });
        let document = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let role = iam(rig, "create_role", &json!({ "RoleName": "ci", "AssumeRolePolicyDocument": document }));
        let role_arn = role["Role"]["Arn"].as_str().expect("an ARN").to_owned();
        let mut child = python()
            .args(["-m", "aws.issuer"])
            .current_dir(fakes())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs: scripts/install makes its environment");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let ci = Self { program: Mutex::new((child, stdin, stdout)), role_arn };
        let jwks = ci.ask(&json!({ "jwks": "ci" }));
        rig.control("PUT", "issuers", &json!({ "issuer": ISSUER, "jwks": jwks }));
        super::forget(rig);
        ci
    }

    /// A token that the role trusts.
    pub(super) fn token(&self) -> String {
        self.sign(600, &json!({}))
    }

    /// A token that ends in so many seconds, with other claims.
    pub(super) fn sign(&self, seconds: i64, other: &Value) -> String {
        let mut claims = json!({ "iss": ISSUER, "aud": "sts.amazonaws.com", "sub": SUBJECT });
        for (name, value) in other.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        self.minted(&json!({ "sign": "ci", "claims": claims, "seconds": seconds }))
    }

    /// A token that somebody else signed with another key, under the name of the issuer's.
    pub(super) fn forged(&self) -> String {
        let claims = json!({ "iss": ISSUER, "aud": "sts.amazonaws.com", "sub": SUBJECT });
        self.minted(&json!({ "sign": "mallory", "kid": "ci", "claims": claims }))
    }

    fn minted(&self, wish: &Value) -> String {
        self.ask(wish)["token"].as_str().expect("a token").to_owned()
    }

    fn ask(&self, wish: &Value) -> Value {
        let mut program = self.program.lock().expect("no test panicked here");
        let (_, stdin, stdout) = &mut *program;
        writeln!(stdin, "{wish}").expect("aws.issuer reads its input");
        let mut answer = String::new();
        stdout.read_line(&mut answer).expect("aws.issuer answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("aws.issuer ended at {wish}: {error}"))
    }
}

impl Drop for Ci {
    fn drop(&mut self) {
        if let Ok(program) = self.program.get_mut() {
            let _ = program.0.kill();
            let _ = program.0.wait();
        }
    }
}

/// The parts of a token that nobody may find anywhere: the whole, its claims, its signature.
pub(super) fn parts(token: &str) -> Vec<&str> {
    std::iter::once(token).chain(token.split('.').skip(1)).collect()
}
