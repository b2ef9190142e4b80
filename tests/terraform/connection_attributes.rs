//! Every attribute of `rdsaccess_connection`, one after another: changed by hand, changed in the configuration, taken out.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::gateway::FakeGateway;
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_connection.it";
const RULE: &str = "b19bba55-8646-4d94-a40a-c3afe2f4bafd";
const OTHER_RULE: &str = "0b6f2f0e-5c1d-4a86-9a3e-2d1c7b9f4e10";
const OURS: &str = "secretsmanager:eu-central-1:123456789012:secret:rdsaccess/ledger";

/// What somebody does in the gateway.
enum Hand {
    /// Stored fields
    Fields(Value),
    /// A variable, in plain text
    Env(&'static str, &'static str),
    /// A tag
    Tag(&'static str, &'static str),
    /// The groups
    Groups(&'static [&'static str]),
    /// Nobody can change this one
    Nothing,
}

/// One attribute: a change by hand and where a plan shows it, another value in the configuration and which stored fields
/// that moves, and what is stored when it is taken out.
struct Case {
    attribute: &'static str,
    hand: Hand,
    shown: &'static [&'static str],
    other: &'static str,
    moves: &'static [&'static str],
    cleared: Option<Value>,
}

fn case(
    attribute: &'static str,
    (hand, shown): (Hand, &'static [&'static str]),
    (other, moves): (&'static str, &'static [&'static str]),
    cleared: Option<Value>,
) -> Case {
    Case { attribute, hand, shown, other, moves, cleared }
}

fn login_cases() -> Vec<Case> {
    let nothing = || (Hand::Nothing, &[] as &[_]);
    let role = |key, value| (Hand::Env(key, value), &["role"] as &[_]);
    vec![
        case(
            "target_arn",
            (Hand::Tag("hoop.dev/aws-connect.dbarn", "arn:aws:rds:eu-central-1:123456789012:db:x"), &["target_arn"]),
            ("\"arn:aws:rds:eu-central-1:123456789012:db:books\"", &["tag hoop.dev/aws-connect.dbarn"]),
            None,
        ),
        case("role.username", role("USER", "mallory"), ("\"hoop_rw\"", &["variable USER"]), None),
        case(
            "role.endpoint",
            role("HOST", "evil"),
            ("\"b.c.eu-central-1.rds.amazonaws.com\"", &["variable HOST"]),
            None,
        ),
        case("role.port", role("PORT", "1"), ("5433", &["variable PORT"]), None),
        case("role.default_database", role("DB", "evil"), ("\"books\"", &["variable DB"]), None),
        case(
            "role.engine",
            (Hand::Fields(json!({"subtype": "mysql"})), &["command", "role"]),
            ("\"mysql\"", &["command", "subtype"]),
            None,
        ),
        case(
            "role.auth",
            (Hand::Env("USER", "_aws_iam_rds:hoop_ro"), &["role", "secret_state"]),
            ("\"iam\"", &["variable PASS", "variable USER"]),
            None,
        ),
        case("role.access", nothing(), ("\"read_write\"", &[]), None),
        case(
            "role.secret_ref",
            (Hand::Env("PASS", "_aws:other:password"), &["secret_state"]),
            ("\"arn:aws:secretsmanager:eu-central-1:123456789012:secret:other-AbCdEf\"", &["variable PASS"]),
            None,
        ),
        case("role.secret_version", nothing(), ("\"2\"", &[]), None),
        case("database", nothing(), ("\"books\"", &["variable DB"]), Some(json!(["variable DB", "bGVkZ2Vy"]))),
        case("timeouts", nothing(), ("{ create = \"2m\" }", &[]), None),
    ]
}

fn setting_cases() -> Vec<Case> {
    let fields = |fields, attribute: &'static [&'static str]| (Hand::Fields(fields), attribute);
    vec![
        case("agent_name", (Hand::Nothing, &[]), ("\"spare\"", &["agent_id", "status"]), None),
        case(
            "resource_name",
            fields(json!({"resource_name": "of-others"}), &["resource_name"]),
            ("\"books\"", &["resource_name"]),
            None,
        ),
        case(
            "access_modes",
            fields(
                json!({"access_mode_connect": "disabled", "access_mode_exec": "enabled",
                    "access_mode_runbooks": "disabled", "access_schema": "disabled"}),
                &["access_modes"],
            ),
            (
                "{ connect = false, runbooks = false, schema = false }",
                &["access_mode_connect", "access_mode_exec", "access_mode_runbooks", "access_schema"],
            ),
            Some(json!(["access_mode_connect", "enabled"])),
        ),
        case(
            "reviewers",
            fields(json!({"reviewers": []}), &["reviewers"]),
            ("[\"a\"]", &["reviewers"]),
            Some(json!(["reviewers", []])),
        ),
        case(
            "groups",
            (Hand::Groups(&["everybody"]), &["groups"]),
            ("[\"a\"]", &["groups"]),
            Some(json!(["groups", null])),
        ),
        case(
            "guardrail_rules",
            fields(json!({"guardrail_rules": []}), &["guardrail_rules"]),
            ("[\"0b6f2f0e-5c1d-4a86-9a3e-2d1c7b9f4e10\"]", &["guardrail_rules"]),
            Some(json!(["guardrail_rules", []])),
        ),
        case(
            "redact_types",
            fields(json!({"redact_types": ["PHONE"]}), &["redact_types"]),
            ("[\"A\", \"B\"]", &["redact_types"]),
            Some(json!(["redact_types", []])),
        ),
        case(
            "force_approve_groups",
            fields(json!({"force_approve_groups": ["everybody"]}), &["force_approve_groups"]),
            ("[\"a\"]", &["force_approve_groups"]),
            Some(json!(["force_approve_groups", null])),
        ),
        case(
            "attributes",
            fields(json!({"attributes": []}), &["attributes"]),
            ("[\"a\"]", &["attributes"]),
            Some(json!(["attributes", []])),
        ),
        case(
            "mandatory_metadata_fields",
            fields(json!({"mandatory_metadata_fields": []}), &["mandatory_metadata_fields"]),
            ("[\"a\"]", &["mandatory_metadata_fields"]),
            Some(json!(["mandatory_metadata_fields", []])),
        ),
        case(
            "access_max_duration",
            fields(json!({"access_max_duration": 86400}), &["access_max_duration"]),
            ("\"10m\"", &["access_max_duration"]),
            Some(json!(["access_max_duration", null])),
        ),
        case(
            "min_review_approvals",
            fields(json!({"min_review_approvals": null}), &["min_review_approvals"]),
            ("3", &["min_review_approvals"]),
            Some(json!(["min_review_approvals", null])),
        ),
        case(
            "jira_issue_template_id",
            fields(json!({"jira_issue_template_id": ""}), &["jira_issue_template_id"]),
            ("\"0b6f2f0e-5c1d-4a86-9a3e-2d1c7b9f4e10\"", &["jira_issue_template_id"]),
            Some(json!(["jira_issue_template_id", ""])),
        ),
        case(
            "tags",
            (Hand::Tag("team", "other"), &["tags"]),
            ("{ team = \"pay\", tier = \"1\" }", &["tag team", "tag tier"]),
            Some(json!(["tag team", null])),
        ),
    ]
}

/// Arguments by name; those of the role begin with `role.`.
type Arguments = BTreeMap<&'static str, String>;

fn full() -> Arguments {
    let rule = format!("\"{RULE}\"");
    let rules = format!("[{rule}]");
    let secret = format!("\"arn:aws:{OURS}/hoop_ro-AbCdEf\"");
    let pairs = [
        ("target_arn", "\"arn:aws:rds:eu-central-1:123456789012:db:ledger\""),
        ("role.username", "\"hoop_ro\""),
        ("role.engine", "\"postgres\""),
        ("role.endpoint", "\"ledger.c1a2b3.eu-central-1.rds.amazonaws.com\""),
        ("role.port", "5432"),
        ("role.default_database", "\"ledger\""),
        ("role.secret_ref", &secret),
        ("agent_name", "\"lab\""),
        ("resource_name", "\"ledger\""),
        ("access_modes", "{ exec = false }"),
        ("reviewers", "[\"sre\", \"dba\"]"),
        ("groups", "[\"developers\"]"),
        ("guardrail_rules", &rules),
        ("redact_types", "[\"EMAIL_ADDRESS\"]"),
        ("force_approve_groups", "[\"sre\"]"),
        ("attributes", "[\"pii\"]"),
        ("mandatory_metadata_fields", "[\"ticket\"]"),
        ("access_max_duration", "\"15m\""),
        ("min_review_approvals", "2"),
        ("jira_issue_template_id", &rule),
        ("tags", "{ team = \"payments\" }"),
    ];
    pairs.into_iter().map(|(name, text)| (name, text.to_owned())).collect()
}

fn written(arguments: &Arguments) -> String {
    let line = |(name, text): (&str, &String)| format!("  {name} = {text}\n");
    let top = arguments.iter().filter(|(name, _)| !name.starts_with("role."));
    let role = arguments.iter().filter_map(|(name, text)| Some((name.strip_prefix("role.")?, text)));
    format!(
        "terraform {{\n  required_providers {{\n    rdsaccess = {{ source = \"rdsaccess/rdsaccess\" }}\n  }}\n}}\n\n\
         resource \"rdsaccess_connection\" \"it\" {{\n  name = \"ledger-ro\"\n{}  role = {{\n{}  }}\n}}\n",
        top.map(|(name, text)| line((name, text))).collect::<String>(),
        role.map(line).collect::<String>()
    )
}

/// Everything that is stored of the connection: fields, variables, tags, groups.
fn stored(gateway: &FakeGateway) -> BTreeMap<String, Value> {
    let stored = gateway.stored("ledger-ro");
    let mut all = BTreeMap::from([("groups".to_owned(), gateway.groups("ledger-ro"))]);
    for (field, value) in stored.as_object().unwrap() {
        let parts = |word: &str, all: &mut BTreeMap<String, Value>| {
            let parts = value.as_object().unwrap().iter();
            all.extend(
                parts.map(|(key, value)| (format!("{word} {}", key.trim_start_matches("envvar:")), value.clone())),
            );
        };
        match field.as_str() {
            "secret" => parts("variable", &mut all),
            "connection_tags" => parts("tag", &mut all),
            "secrets_updated_at" => {}
            _ => drop(all.insert(field.clone(), value.clone())),
        }
    }
    all
}

/// The names of what differs.
fn moved(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// A gateway with the connection, and beside it what others set on it.
fn begin() -> (FakeGateway, Workspace<'static>) {
    let gateway = FakeGateway::start();
    gateway.toggle("access_control", true);
    gateway.guardrail(RULE);
    gateway.guardrail(OTHER_RULE);
    gateway.fill_resource("of-others", &json!({}));
    let workspace = gateway.workspace(&written(&full()));
    workspace.apply().ok();
    act(&gateway, &Hand::Env("OWN", "mine"));
    act(&gateway, &Hand::Tag("hand", "made"));
    act(&gateway, &Hand::Fields(json!({"tags": ["legacy"]})));
    (gateway, workspace)
}

fn act(gateway: &FakeGateway, hand: &Hand) {
    let before = gateway.stored("ledger-ro");
    let put = |field: &str, key: &str, value: &str| {
        let mut all = before[field].clone();
        all[key] = json!(value);
        gateway.change("ledger-ro", &json!({ field: all }));
    };
    match hand {
        Hand::Fields(fields) => gateway.change("ledger-ro", fields),
        Hand::Env(key, value) => put("secret", &format!("envvar:{key}"), &STANDARD.encode(value)),
        Hand::Tag(key, value) => put("connection_tags", key, value),
        Hand::Groups(groups) => gateway.set_groups("ledger-ro", groups),
        Hand::Nothing => {}
    }
}

/// The attributes that a plan file changes.
fn planned(workspace: &Workspace<'_>) -> BTreeSet<String> {
    let planned = workspace.planned();
    let all = planned["resource_changes"].as_array().unwrap();
    let change = &all.iter().find(|c| c["address"] == IT).unwrap()["change"];
    assert_eq!(change["actions"], json!(["update"]), "{change}");
    let names = change["before"].as_object().unwrap().keys().chain(change["after"].as_object().unwrap().keys());
    names.filter(|name| change["before"][*name] != change["after"][*name]).cloned().collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn repaired(cases: Vec<Case>) {
    let (gateway, workspace) = begin();
    let before = stored(&gateway);
    for Case { attribute, hand, shown, .. } in cases.into_iter().filter(|case| !matches!(case.hand, Hand::Nothing)) {
        act(&gateway, &hand);
        let said = workspace.plan().changes().stdout;
        for word in shown {
            assert!(
                said.contains(&format!("~ {word} ")) || said.contains(&format!("+ {word} ")),
                "{attribute}: {said}"
            );
        }
        assert_eq!(planned(&workspace), set(shown), "{attribute}");
        workspace.apply_planned().ok();
        assert_eq!(
            moved(&before, &stored(&gateway)),
            BTreeSet::new(),
            "{attribute} is repaired and nothing else moved"
        );
    }
    workspace.plan().nothing();
}

#[test]
fn each_part_of_the_login_that_a_hand_changed_is_planned_and_repaired_alone() {
    repaired(login_cases());
}

#[test]
fn each_setting_that_a_hand_changed_is_planned_and_repaired_alone() {
    repaired(setting_cases());
}

#[test]
fn the_agent_and_the_database_that_a_hand_changed_are_planned_and_repaired() {
    let (gateway, workspace) = begin();
    let mut arguments = full();
    arguments.insert("database", "\"books\"".to_owned());
    workspace.write("main.tf", &written(&arguments));
    workspace.apply().ok();
    let before = stored(&gateway);
    let agent = json!({"agent_id": gateway.agent_id("spare")});
    for (hand, attribute) in [(Hand::Env("DB", "evil"), "database"), (Hand::Fields(agent), "agent_name")] {
        act(&gateway, &hand);
        workspace.plan().changes();
        assert!(planned(&workspace).contains(attribute), "{attribute}");
        workspace.apply_planned().ok();
        assert_eq!(moved(&before, &stored(&gateway)), BTreeSet::new(), "{attribute}");
    }
    workspace.plan().nothing();
}

fn changed(cases: Vec<Case>) {
    let (gateway, workspace) = begin();
    let mut arguments = full();
    for Case { attribute, other, moves, .. } in cases {
        let (before, was) = (stored(&gateway), arguments.insert(attribute, other.to_owned()));
        workspace.write("main.tf", &written(&arguments));
        workspace.apply().ok();
        assert_eq!(moved(&before, &stored(&gateway)), set(moves), "{attribute} alone moves");
        if attribute.starts_with("role.") {
            match was {
                Some(was) => drop(arguments.insert(attribute, was)),
                None => drop(arguments.remove(attribute)),
            }
            workspace.write("main.tf", &written(&arguments));
            workspace.apply().ok();
            assert_eq!(moved(&before, &stored(&gateway)), BTreeSet::new(), "{attribute} and back");
        }
    }
    workspace.plan().nothing();
}

#[test]
fn each_part_of_the_login_changes_in_place_and_nothing_else_moves() {
    changed(login_cases());
}

#[test]
fn each_setting_changes_in_place_and_nothing_else_moves() {
    changed(setting_cases());
}

#[test]
fn each_setting_that_is_taken_out_is_cleared_and_nothing_else_moves() {
    let (gateway, workspace) = begin();
    let mut arguments = full();
    arguments.insert("database", "\"books\"".to_owned());
    arguments.insert("access_modes", "{ connect = false }".to_owned());
    workspace.write("main.tf", &written(&arguments));
    workspace.apply().ok();
    for Case { attribute, cleared, .. } in login_cases().into_iter().chain(setting_cases()) {
        let Some(cleared) = cleared else { continue };
        let before = stored(&gateway);
        arguments.remove(attribute).unwrap();
        workspace.write("main.tf", &written(&arguments));
        workspace.apply().ok();
        let after = stored(&gateway);
        let name = cleared[0].as_str().unwrap();
        assert_eq!(moved(&before, &after), set(&[name]), "{attribute} alone moves");
        assert_eq!(after.get(name).unwrap_or(&Value::Null), &cleared[1], "{attribute}");
    }
    workspace.plan().nothing();
}

#[test]
fn the_table_names_every_argument() {
    let workspace = Workspace::offline();
    workspace.write("main.tf", &written(&full()));
    workspace.init().ok();
    let all: Value = serde_json::from_str(&workspace.schemas()).unwrap();
    let provider = all["provider_schemas"].as_object().unwrap().values().next().unwrap();
    let attributes = &provider["resource_schemas"]["rdsaccess_connection"]["block"]["attributes"];
    let arguments = |of: &Value, before: &str| -> BTreeSet<String> {
        let is_argument = |a: &Value| a["required"] == true || a["optional"] == true;
        let found = of.as_object().unwrap().iter().filter(|(_, attribute)| is_argument(attribute));
        found.map(|(name, _)| format!("{before}{name}")).collect()
    };
    let mut wanted = arguments(attributes, "");
    assert!(wanted.remove("role"));
    wanted.extend(arguments(&attributes["role"]["nested_type"]["attributes"], "role."));
    // Have tests of their own: `name` replaces, `agent_id` excludes `agent_name`, a copy needs a store.
    for other in ["name", "agent_id", "secret_delivery"] {
        assert!(wanted.remove(other), "{other}");
    }
    let named = login_cases().iter().chain(&setting_cases()).map(|case| case.attribute.to_owned()).collect();
    assert_eq!(wanted, named);
}
