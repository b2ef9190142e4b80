//! Sessions that end while a run goes on.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::issuer::{Ci, parts};
use super::{contains_all, forget, keyless, principals, session_arn};
use crate::rig::Rig;
use crate::wish::{DatabaseWish, Wish};

/// Seconds that a session of the fake STS lives in these tests; a call to EC2 takes longer.
const SESSION: u64 = 2;

fn rig() -> Rig {
    let ledger = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres").unreachable();
    Rig::start(&Wish::organization().with(ledger))
}

fn group(rig: &Rig) -> String {
    let arn = &rig.database(0).arn;
    let ingress = "ingress = [{ cidr_ipv4 = \"10.20.0.0/16\" }]";
    format!("resource \"rdsaccess_security_group\" \"it\" {{\n  target_arn = \"{arn}\"\n  {ingress}\n}}\n")
}

/// The token of the start ends long before the apply, too: its file is written anew meanwhile, as Kubernetes does.
#[test]
fn a_run_outlives_its_sessions_and_its_token() {
    let rig = rig();
    let ci = Ci::start(&rig);
    let hub = super::role_of_the_hub(&rig, "access-hub");
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let block = format!(
        "assume_role_with_web_identity = {{\n    role_arn = \"{}\"\n    token_file = \"{}\"\n  }}\n  assume_role = {{ \
         role_arn = \"{hub}\" }}",
        ci.role_arn,
        file.display()
    );
    let workspace = keyless(&rig, &block, &group(&rig));
    rig.control("PUT", "settings", &json!({ "session_seconds": SESSION }));
    rig.control("POST", "faults", &json!({ "service": "ec2", "times": -1, "latency_ms": SESSION * 1_000 + 500 }));
    forget(&rig);
    let (done, mut tokens) = (AtomicBool::new(false), Vec::new());
    let renew = |tokens: &mut Vec<String>| {
        tokens.push(ci.sign(6, &json!({ "jti": tokens.len().to_string() })));
        let new = file.with_extension("new");
        fs::write(&new, tokens.last().unwrap()).unwrap();
        fs::rename(&new, &file).unwrap();
    };
    renew(&mut tokens);
    let run = std::thread::scope(|scope| {
        let apply = scope.spawn(|| {
            let run = workspace.apply();
            done.store(true, Ordering::SeqCst);
            run
        });
        while !done.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(500));
            renew(&mut tokens);
        }
        apply.join().unwrap()
    });
    run.ok();
    let count = |action: &str| rig.calls(action).len();
    let slow = rig.control("GET", "log?service=ec2", &Value::Null).as_array().unwrap().len();
    assert!(slow >= 3, "each of {slow} calls took longer than a session");
    for (action, least) in [("AssumeRoleWithWebIdentity", slow), ("AssumeRole", 2 * slow)] {
        assert!(count(action) >= least, "{action}: {} for {slow} slow calls", count(action));
    }
    let refused: Vec<Value> = super::calls(&rig).into_iter().filter(|call| call["status"] != 200).collect();
    assert_eq!(refused, Vec::<Value>::new(), "every session was renewed before it ended");
    assert_eq!(principals(&rig)[0], session_arn(&rig, "ci", "rdsaccess-provider"));
    let secrets: Vec<&str> = tokens.iter().flat_map(|token| parts(token)).collect();
    assert_eq!(workspace.leaks(&secrets), []);
}

/// The clock of this machine may be behind, or somebody ended the session: AWS says so, and one renewal follows.
#[test]
fn a_session_that_aws_calls_expired_is_renewed_once() {
    let rig = rig();
    let workspace = keyless(&rig, &keys(&rig), &group(&rig));
    let expired = |times: i64| {
        let message = "The security token included in the request is expired";
        json!({ "service": "rds", "code": "ExpiredToken", "message": message, "status": 403, "times": times })
    };
    forget(&rig);
    rig.control("POST", "faults", &expired(1));
    workspace.apply().ok();
    assert_eq!(rig.calls("AssumeRole").len(), 3, "entered by the plan and by the apply, and once again");
    workspace.plan().nothing();

    rig.control("DELETE", "faults", &Value::Null);
    forget(&rig);
    rig.control("POST", "faults", &expired(-1));
    let said = workspace.plan_run().error();
    contains_all(&said, &["AWS refused the credentials", "is expired", "the clock of this machine"]);
    let asked = rig.calls("DescribeDBInstances").len();
    assert!(asked <= 4, "{asked} calls: new credentials that are refused are not renewed again and again");
}

fn keys(rig: &Rig) -> String {
    format!("access_key = \"{}\"\n  secret_key = \"{}\"", rig.made.access_key, rig.made.secret_key)
}
