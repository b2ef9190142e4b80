//! What others set on a connection, as far as a plan has to know it; and what others answer in the gateway's place.

use serde_json::{Value, json};

use crate::connection::{configuration, words};
use crate::gateway::{ADMIN, FakeGateway, READER};

const LAB: &str = "agent_name = \"lab\"";
const IT: &str = "rdsaccess_connection.it";

fn contains(said: &str, expected: &[&str]) {
    let said = words(said);
    for part in expected {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

/// The configuration with so many tags of its own.
fn tagged(count: usize) -> String {
    configuration(&format!("{LAB}\n  tags = {{ for n in range({count}) : \"own-${{n}}\" => \"x\" }}"))
}

/// Somebody adds tags through the API.
fn add_tags(gateway: &FakeGateway, keys: &[&str]) {
    let mut tags = gateway.stored("ledger-ro")["connection_tags"].clone();
    keys.iter().for_each(|key| tags[*key] = json!("by-hand"));
    gateway.change("ledger-ro", &json!({ "connection_tags": tags }));
}

#[test]
fn tags_of_others_count_and_a_plan_that_would_have_too_many_is_refused() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&tagged(3));
    workspace.apply().ok();
    add_tags(&gateway, &["env", "hoop.dev/owner", "team"]);
    workspace.plan().nothing();
    let before = gateway.stored("ledger-ro");

    workspace.write("main.tf", &tagged(6));
    contains(
        &workspace.plan_run().error(),
        &[
            "Error: Too many tags",
            "Connection `ledger-ro` would have 11 tags, and the gateway takes 10",
            "2 are the provider's own (rdsaccess.managed, hoop.dev/aws-connect.dbarn)",
            "6 stand in `tags`",
            "3 are those of others, which stay (env, hoop.dev/owner, team)",
        ],
    );
    assert_eq!(gateway.stored("ledger-ro"), before);

    // As many as there is room for, one of them in the place of somebody else's.
    workspace.write("main.tf", &tagged(5));
    workspace.apply().ok();
    assert_eq!(gateway.stored("ledger-ro")["connection_tags"].as_object().unwrap().len(), 10);
    workspace.plan().nothing();
    workspace.write("main.tf", &tagged(5).replace("own-${n}", "${n == 0 ? \"env\" : \"own-${n}\"}"));
    workspace.plan().changes();
    workspace.apply_planned().ok();
    let tags = gateway.stored("ledger-ro")["connection_tags"].clone();
    assert_eq!((&tags["env"], tags.get("own-0"), &tags["team"]), (&json!("x"), None, &json!("by-hand")));
    workspace.plan().nothing();
}

#[test]
fn tags_that_an_import_found_and_the_configuration_leaves_out_count_too() {
    let gateway = FakeGateway::start();
    let tags: Value = (0..7).map(|n| (format!("found-{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    gateway.make("ledger-ro", &json!({ "connection_tags": tags }));
    let workspace = gateway.workspace(&tagged(2));
    workspace.import(IT, "ledger-ro").ok();
    contains(&workspace.plan_run().error(), &["would have 11 tags", "2 stand in `tags`", "7 are those of others"]);
    workspace.write("main.tf", &tagged(1));
    workspace.apply().ok();
    assert_eq!(gateway.stored("ledger-ro")["connection_tags"].as_object().unwrap().len(), 10);
    workspace.plan().nothing();
}

const NOBODY: &str = "Warning: Settings for reviews, and nobody reviews";

#[test]
fn settings_that_only_a_review_looks_at_are_told_when_nobody_reviews() {
    let gateway = FakeGateway::start();
    let with = |more: &str| configuration(&format!("{LAB}\n  {more}"));
    let workspace = gateway.workspace(&with(""));
    let told = |more: &str| {
        workspace.write("main.tf", &with(more));
        words(&workspace.plan().changes().stdout)
    };
    for (setting, name) in [
        ("access_max_duration = \"15m\"", "`access_max_duration`"),
        ("min_review_approvals = 2", "`min_review_approvals`"),
        ("force_approve_groups = [\"sre\"]", "`force_approve_groups`"),
    ] {
        contains(&told(setting), &[NOBODY, &format!("has no `reviewers`, and sets {name}."), "Add `reviewers`"]);
        contains(&told(&format!("reviewers = []\n  {setting}")), &[NOBODY]);
        let said = told(&format!("reviewers = [\"dba\"]\n  {setting}"));
        assert!(!said.contains(NOBODY), "{said}");
    }
    for nothing in ["redact_types = [\"PHONE\"]", "force_approve_groups = []"] {
        assert!(!told(nothing).contains(NOBODY), "{nothing}");
    }
    let unknown = "reviewers = terraform_data.groups.output\n  min_review_approvals = 2\n}\n\nresource \"terraform_data\" \
                   \"groups\" {\n  input = []";
    assert!(!told(unknown).contains(NOBODY), "nobody knows yet");
}

#[test]
fn reviewers_of_others_are_reviewers() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(&format!("{LAB}\n  access_max_duration = \"15m\"")));
    workspace.apply().ok();
    contains(&workspace.plan().nothing().stdout, &[NOBODY, "`access_max_duration`"]);
    gateway.change("ledger-ro", &json!({"reviewers": ["dba"]}));
    let said = workspace.plan().nothing().stdout;
    assert!(!words(&said).contains(NOBODY), "{said}");

    // Those that were ours go with the argument.
    let with = |reviewers: &str| configuration(&format!("{LAB}\n  access_max_duration = \"15m\"\n  {reviewers}"));
    workspace.write("main.tf", &with("reviewers = [\"sre\"]"));
    workspace.apply().ok();
    workspace.write("main.tf", &with(""));
    contains(&workspace.plan().changes().stdout, &[NOBODY]);
}

#[test]
fn a_proxy_that_lost_its_route_makes_nothing_read_as_gone() {
    let gateway = FakeGateway::start();
    let workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    let state = workspace.resource(IT);
    for message in ["no Route matched with those values", "Not Found"] {
        gateway.fault(&json!({"n": 99, "status": 404, "body": {"message": message}}));
        for arguments in [&["plan"][..], &["apply", "-refresh-only", "-auto-approve"], &["destroy", "-auto-approve"]] {
            let arguments = [arguments, &["-input=false", "-no-color"]].concat();
            contains(
                &workspace.run(&arguments).error(),
                &[
                    "Error: The address is not that of a gateway's API",
                    "Connection `ledger-ro`",
                    message,
                    "GET /userinfo at the same address failed",
                    "Something in between answers in the gateway's place",
                    "Nothing is taken to be gone",
                ],
            );
        }
        assert_eq!(workspace.resource(IT), state);
        gateway.mend();
        workspace.plan().nothing();
    }
    // The same body from the gateway itself: a hand has deleted it.
    gateway.remove("ledger-ro");
    gateway.forget_log();
    let said = workspace.plan().changes().stdout;
    assert!(said.contains("1 to add, 0 to change, 0 to destroy"), "{said}");
    assert_eq!(gateway.calls(), ["GET /api/connections/ledger-ro 404", "GET /api/userinfo 200"]);
}

#[test]
fn a_connection_that_the_token_may_not_see_is_not_gone() {
    let gateway = FakeGateway::start();
    let mut workspace = gateway.workspace(&configuration(LAB));
    workspace.apply().ok();
    let state = workspace.resource(IT);
    gateway.toggle("access_control", true);
    workspace.set("HOOP_APIKEY", READER);
    let hidden =
        ["Error: The gateway connection may be hidden", "Connection `ledger-ro`", "only the connections of its groups"];
    contains(&workspace.plan_run().error(), &hidden);
    contains(
        &workspace.run(&["apply", "-refresh-only", "-auto-approve", "-input=false", "-no-color"]).error(),
        &hidden,
    );
    assert_eq!(workspace.resource(IT), state);
    gateway.set_groups("ledger-ro", &["developers"]);
    workspace.plan().nothing();

    // Without access control everybody sees everything, and an admin sees everything with it.
    gateway.remove("ledger-ro");
    gateway.toggle("access_control", false);
    assert!(workspace.plan().changes().stdout.contains("1 to add"));
    gateway.toggle("access_control", true);
    workspace.set("HOOP_APIKEY", ADMIN);
    workspace.apply().ok();
    workspace.plan().nothing();
}
