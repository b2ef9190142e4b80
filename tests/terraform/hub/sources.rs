//! The other sources of the hub's credentials: keys, profiles, SSO, instances, containers.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::metadata::{Metadata, document};
use super::{contains_all, instances, keyless, principals, role_of_the_hub, session_arn, session_of};
use crate::rig::Rig;
use crate::wish::Wish;
use crate::workspace::Workspace;

/// Writes a file of the AWS configuration into the home directory.
fn write(workspace: &Workspace<'_>, name: &str, text: &str) -> PathBuf {
    let path = workspace.home().join(".aws").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// The databases were listed by a session of this role, in the hub and in a member account.
fn works_as(rig: &Rig, workspace: &Workspace<'_>, principal: &str, secrets: &[&str]) {
    super::forget(rig);
    workspace.apply().ok();
    let seen = principals(rig);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(seen[0], principal);
    contains_all(&seen[1], &[rig.account_id("payments-prod"), "assumed-role/HoopOrganizationAccountAccessRole/"]);
    assert_eq!(workspace.leaks(secrets), []);
}

#[test]
fn keys_in_the_provider_block() {
    let rig = Rig::start(&Wish::organization());
    let session = session_of(&rig, &role_of_the_hub(&rig, "hub"), "by-hand");
    let [key, secret, token] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| text(&session, name));
    let block = "access_key = var.key.id\n  secret_key = var.key.secret\n  token = var.key.token";
    let variable = "variable \"key\" {\n  type = map(string)\n  ephemeral = true\n}\n";
    let mut workspace = keyless(&rig, block, &(instances(&rig) + variable));
    workspace.set("TF_VAR_key", &json!({ "id": key, "secret": secret, "token": token }).to_string());
    works_as(&rig, &workspace, &session_arn(&rig, "hub", "by-hand"), &[&secret, &token]);
}

#[test]
fn a_profile_of_the_shared_configuration() {
    let rig = Rig::start(&Wish::organization());
    let role = role_of_the_hub(&rig, "hub");
    let mut workspace = keyless(&rig, "profile = \"chained\"", &instances(&rig));
    let keys =
        format!("aws_access_key_id = {}\naws_secret_access_key = {}\n", rig.made.access_key, rig.made.secret_key);
    write(&workspace, "credentials", &format!("[keys]\n{keys}"));
    let chained = format!("[profile chained]\nrole_arn = {role}\nsource_profile = keys\nrole_session_name = alice\n");
    let process = workspace.home().join("credentials.sh");
    let config = format!("{chained}\n[profile process]\ncredential_process = sh {}\n", process.display());
    write(&workspace, "config", &config);
    // The calls of a profile are the SDK's own: the variable of the SDKs says where STS is.
    workspace.set("AWS_ENDPOINT_URL_STS", &rig.made.endpoint);
    super::forget(&rig);
    workspace.apply().ok();
    let user = format!("arn:aws:iam::{}:user/moto", rig.made.organization.management_account);
    let seen = principals(&rig);
    assert_eq!(seen[..2], [user, session_arn(&rig, "hub", "alice")], "the keys take the role, and nothing else");
    assert_eq!(rig.calls("AssumeRole")[0]["params"]["RoleSessionName"], "alice");
    assert_eq!(workspace.leaks(&[&rig.made.secret_key]), []);

    let session = session_of(&rig, &role, "from-a-program");
    let answer = json!({
        "Version": 1, "AccessKeyId": session["AccessKeyId"], "SecretAccessKey": session["SecretAccessKey"],
        "SessionToken": session["SessionToken"], "Expiration": "2099-01-01T00:00:00Z",
    });
    fs::write(&process, format!("echo '{answer}'\n")).unwrap();
    let main = fs::read_to_string(workspace.folder().join("main.tf")).unwrap();
    workspace.write("main.tf", &main.replace("\"chained\"", "\"process\""));
    let secret = text(&session, "SecretAccessKey");
    works_as(&rig, &workspace, &session_arn(&rig, "hub", "from-a-program"), &[&secret]);

    // Whoever names a profile means it: keys in the environment do not take its place.
    workspace.give("AWS_ACCESS_KEY_ID", &rig.made.access_key);
    workspace.give("AWS_SECRET_ACCESS_KEY", &rig.made.secret_key);
    works_as(&rig, &workspace, &session_arn(&rig, "hub", "from-a-program"), &[&secret]);
    workspace.write("main.tf", &main.replace("\"chained\"", "\"missing\""));
    contains_all(&workspace.plan_run().error(), &["No AWS credentials", "missing", "Give the provider credentials"]);
}

/// A session of `aws sso login` in the cache, and a portal that takes its token.
#[test]
fn a_session_of_the_identity_center() {
    let rig = Rig::start(&Wish::organization());
    let account = rig.made.organization.management_account.clone();
    let session = session_of(&rig, &role_of_the_hub(&rig, "AWSReservedSSO_Admin_1"), "alice@example.com");
    let role = json!({
        "accessKeyId": session["AccessKeyId"], "secretAccessKey": session["SecretAccessKey"],
        "sessionToken": session["SessionToken"], "expiration": 4_070_908_800_000_i64,
    });
    let answer = json!({ "roleCredentials": role }).to_string();
    let portal = Metadata::start(move |request| match request.header("x-amz-sso_bearer_token") {
        Some("the-token-of-the-cache") => (200, answer.clone()),
        _ => (401, json!({ "message": "Session token not found or invalid" }).to_string()),
    });
    let mut workspace = keyless(&rig, "profile = \"work\"", &instances(&rig));
    let start = "https://acme.awsapps.com/start";
    let profile = format!("sso_session = acme\nsso_account_id = {account}\nsso_role_name = Admin\n");
    let sso =
        format!("sso_start_url = {start}\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n");
    write(&workspace, "config", &format!("[profile work]\n{profile}\n[sso-session acme]\n{sso}"));
    workspace.set("AWS_ENDPOINT_URL_SSO", &portal.url);
    let cache = |end: &str| {
        let token = json!({ "startUrl": start, "region": "eu-west-1", "accessToken": "the-token-of-the-cache", "expiresAt": end });
        // The CLI of AWS names the file after the session.
        write(&workspace, &format!("sso/cache/{}.json", sha1("acme")), &token.to_string());
    };
    cache("2099-01-01T00:00:00Z");
    let secret = text(&session, "SecretAccessKey");
    let principal = session_arn(&rig, "AWSReservedSSO_Admin_1", "alice@example.com");
    works_as(&rig, &workspace, &principal, &[&secret, "the-token-of-the-cache"]);
    contains_all(&portal.requests()[0].line, &["GET /federation/credentials?", "role_name=Admin", &account]);

    let before = portal.requests().len();
    cache("2020-01-01T00:00:00Z");
    contains_all(&workspace.plan_run().error(), &["No AWS credentials", "expired", "aws sso login", "--profile"]);
    assert_eq!(portal.requests().len(), before, "a token that has expired is not sent");
    assert_eq!(workspace.leaks(&["the-token-of-the-cache"]), []);
}

fn sha1(text: &str) -> String {
    let output = std::process::Command::new("sh")
        .args(["-c", "printf %s \"$0\" | sha1sum | cut -d' ' -f1", text])
        .output()
        .expect("sha1sum of coreutils");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// IMDSv2: a token first, then region, name of the role and its credentials; proxies are not asked.
#[test]
fn the_role_of_an_instance() {
    let rig = Rig::start(&Wish::organization());
    let session = session_of(&rig, &role_of_the_hub(&rig, "runner"), "i-0123456789abcdef0");
    let credentials = document(&session);
    let service = Metadata::start(move |request| {
        let with_token = request.header("x-aws-ec2-metadata-token") == Some("token-of-imds");
        match request.line.as_str() {
            "PUT /latest/api/token" => (200, "token-of-imds".to_owned()),
            _ if !with_token => (401, String::new()),
            "GET /latest/meta-data/placement/region" => (200, "us-east-1".to_owned()),
            "GET /latest/meta-data/iam/security-credentials/" => (200, "runner".to_owned()),
            "GET /latest/meta-data/iam/security-credentials/runner" => (200, credentials.clone()),
            _ => (404, String::new()),
        }
    });
    let mut workspace = keyless(&rig, "", &instances(&rig));
    workspace.unset("AWS_EC2_METADATA_DISABLED");
    workspace.unset("AWS_REGION");
    workspace.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url);
    // Nothing listens there.
    workspace.set("HTTP_PROXY", "http://127.0.0.1:9");
    let main = fs::read_to_string(workspace.folder().join("main.tf")).unwrap();
    let region = format!("  region = \"{}\"\n", rig.made.region);
    assert!(main.contains(&region));
    workspace.write("main.tf", &main.replace(&region, ""));
    let (secret, token) = (text(&session, "SecretAccessKey"), text(&session, "SessionToken"));
    works_as(&rig, &workspace, &session_arn(&rig, "runner", "i-0123456789abcdef0"), &[&secret, &token]);
    assert!(service.requests().iter().any(|r| r.line.starts_with("PUT /latest/api/token")));
}

/// EKS Pod Identity, and ECS: a document at an address, with a token from a file.
#[test]
fn the_role_of_a_container() {
    let rig = Rig::start(&Wish::organization());
    let session = session_of(&rig, &role_of_the_hub(&rig, "pod"), "eks-cluster-pod");
    let credentials = document(&session);
    let service = Metadata::start(move |request| match request.header("authorization") {
        Some("token-of-the-pod") => (200, credentials.clone()),
        _ => (401, String::new()),
    });
    let mut workspace = keyless(&rig, "", &instances(&rig));
    let file = workspace.home().join("pod-token");
    fs::write(&file, "token-of-the-pod").unwrap();
    workspace.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/v1/credentials", service.url));
    workspace.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file.display().to_string());
    let secret = text(&session, "SecretAccessKey");
    works_as(&rig, &workspace, &session_arn(&rig, "pod", "eks-cluster-pod"), &[&secret, "token-of-the-pod"]);
}

#[test]
fn nothing_at_all_says_what_could_be_given() {
    let rig = Rig::start(&Wish::organization());
    let workspace = keyless(&rig, "", &instances(&rig));
    let said = workspace.plan_run().error();
    contains_all(
        &said,
        &["No AWS credentials", "environment variables, a profile, SSO", "assume_role_with_web_identity"],
    );
    assert_eq!(super::calls(&rig), Vec::<Value>::new());
}
