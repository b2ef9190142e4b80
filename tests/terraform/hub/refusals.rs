//! What a person reads when a web identity token does not open its role, or a session is too long.

use serde_json::{Value, json};

use super::issuer::{Ci, parts};
use super::{contains_all, instances, keyless};
use crate::rig::Rig;
use crate::wish::Wish;
use crate::workspace::Workspace;

fn workspace<'a>(rig: &'a Rig, ci: &Ci) -> (Workspace<'a>, std::path::PathBuf) {
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
    let block = format!(
        "assume_role_with_web_identity = {{\n    role_arn = \"{}\"\n    token_file = \"{}\"\n  }}",
        ci.role_arn,
        file.display()
    );
    (keyless(rig, &block, &instances(rig)), file)
}

#[test]
fn every_refusal_says_what_is_wrong_with_the_token_and_what_to_do() {
    let rig = Rig::start(&Wish::organization());
    let ci = Ci::start(&rig);
    let (workspace, file) = workspace(&rig, &ci);
    let account = rig.made.organization.management_account.clone();
    let mut tokens = Vec::new();
    let mut said = |token: String, parts: &[&str]| {
        std::fs::write(&file, &token).unwrap();
        let run = workspace.plan_run();
        let text = run.error();
        assert_eq!(run.stderr.matches("Error: ").count(), 1, "{text}");
        contains_all(&text, &["sts:AssumeRoleWithWebIdentity", &ci.role_arn]);
        contains_all(&text, parts);
        tokens.push(token);
    };
    said(
        ci.sign(-30, &json!({})),
        &["The web identity token has expired", "Token expired: current date/time", "Get a new token", "exp `20"],
    );
    said(
        ci.sign(600, &json!({ "aud": "https://github.com/acme" })),
        &[
            "The web identity token is for another audience",
            "Incorrect token audience",
            "aud `https://github.com/acme`",
            "GitHub Actions `audience: sts.amazonaws.com`",
            &format!("IAM of account {account}"),
        ],
    );
    said(
        ci.sign(600, &json!({ "iss": "https://gitlab.example.com" })),
        &[
            "AWS does not know the issuer",
            "No OpenIDConnect provider found in your account for https://gitlab.example.com",
            &format!("Create an OpenID Connect identity provider in IAM of account {account}"),
        ],
    );
    said(
        ci.sign(600, &json!({ "sub": "repo:acme/infra:pull_request" })),
        &[
            "The role does not trust the web identity token",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            "sub `repo:acme/infra:pull_request`",
            "trust policy",
        ],
    );
    said(ci.forged(), &["AWS refused the web identity token", "signature"]);
    said("ya29.an-access-token".to_owned(), &["AWS refused the web identity token", "not a valid JWT", "ID token"]);
    let tokens: Vec<&str> = tokens.iter().flat_map(|token| parts(token)).filter(|part| part.len() >= 8).collect();
    assert_eq!(workspace.leaks(&tokens), []);

    super::forget(&rig);
    for (content, reason) in [("", "is empty"), ("a token with spaces", "something else than a token")] {
        std::fs::write(&file, content).unwrap();
        contains_all(
            &workspace.plan_run().error(),
            &["No web identity token", reason, "`permissions: id-token: write`"],
        );
    }
    std::fs::remove_file(&file).unwrap();
    contains_all(&workspace.plan_run().error(), &["No web identity token", "cannot be read", "id_tokens"]);
    assert_eq!(super::calls(&rig), Vec::<Value>::new());
}

#[test]
fn what_may_pass_is_tried_again() {
    let rig = Rig::start(&Wish::organization());
    let ci = Ci::start(&rig);
    let (workspace, file) = workspace(&rig, &ci);
    std::fs::write(&file, ci.token()).unwrap();
    let keys = "Couldn't retrieve verification key from your identity provider,  please reference \
                AssumeRoleWithWebIdentity documentation for requirements";
    let fault = |code: &str, message: &str| json!({ "action": "AssumeRoleWithWebIdentity", "times": 2, "code": code, "message": message, "status": 400 });
    let orders =
        [fault("IDPCommunicationError", "Error communicating with the IdP"), fault("InvalidIdentityToken", keys)];
    rig.control("POST", "faults", &json!(orders));
    workspace.apply().ok();
    assert_eq!(rig.calls("AssumeRoleWithWebIdentity").len(), 5);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_session_that_is_too_long_is_named_before_and_after_aws_refuses_it() {
    let rig = Rig::start(&Wish::organization());
    let ci = Ci::start(&rig);
    let block = |more: &str| {
        let (arn, token) = (&ci.role_arn, ci.token());
        format!("assume_role_with_web_identity = {{ role_arn = \"{arn}\", token = \"{token}\" }}\n  {more}")
    };
    let long = format!("assume_role = {{ role_arn = \"{}\", duration = \"2h\" }}", ci.role_arn);
    let workspace = keyless(&rig, &block(&long), &instances(&rig));
    let said = workspace.validate().error();
    contains_all(&said, &["The session is too long", "role chaining", "at most `1h` instead of `2h`"]);
    assert_eq!(super::calls(&rig), Vec::<Value>::new());

    // The environment makes the provider a role, which no configuration tells.
    let mut workspace = keyless(&rig, "", &instances(&rig));
    let text = std::fs::read_to_string(workspace.folder().join("main.tf")).unwrap();
    workspace.write("main.tf", &text.replace("member_role = {", "member_role = {\n    duration = \"2h\""));
    let file = workspace.home().join("token");
    std::fs::write(&file, ci.token()).unwrap();
    workspace.set("AWS_ROLE_ARN", &ci.role_arn);
    workspace.set("AWS_WEB_IDENTITY_TOKEN_FILE", &file.display().to_string());
    let said = workspace.plan_run().error();
    contains_all(
        &said,
        &[
            "The session is too long",
            "1 hour session limit",
            "`duration` of `member_role`",
            "sessions are renewed before they end",
        ],
    );
}

#[test]
fn mistakes_in_the_block_need_no_call() {
    let rig = Rig::start(&Wish::organization());
    let role = format!("role_arn = \"arn:aws:iam::{}:role/ci\"", rig.made.organization.management_account);
    let said = |inner: &str, more: &str| {
        let block = format!("assume_role_with_web_identity = {{ {inner} }}\n  {more}");
        keyless(&rig, &block, &instances(&rig)).validate().error()
    };
    for both in ["", ", token = \"e.y.J\", token_file = \"/x\""] {
        contains_all(&said(&format!("{role}{both}"), ""), &["exactly one of `token_file` and `token`"]);
    }
    contains_all(&said("token = \"e.y.J\"", ""), &["role_arn"]);
    contains_all(&said(&format!("{role}, token = \"e.y.J\", session_name = \"a b\""), ""), &["2 to 64 letters"]);
    let keys = "access_key = \"AKIA\"\n  secret_key = \"secret\"";
    contains_all(
        &said(&format!("{role}, token = \"e.y.J\""), keys),
        &["Two identities for the provider", "not signed"],
    );
    assert_eq!(super::calls(&rig), Vec::<Value>::new());
}
