//! `rdsaccess_accounts`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{contains_all, data, errors, handle, names, workspace, write_provider};
use crate::rig::Rig;
use crate::wish::Wish;
use crate::workspace::Workspace;

pub(super) const ALL: &str = "data \"rdsaccess_accounts\" \"all\" {\n}\n";

/// The names of the accounts that a data source lists; `ids` and `accounts` must agree.
pub(super) fn accounts(workspace: &Workspace<'_>, name: &str) -> BTreeSet<String> {
    let found = data(workspace, &format!("rdsaccess_accounts.{name}"));
    assert_eq!(names(&found["ids"]), names(&found["accounts"]), "{name}");
    let accounts = found["accounts"].as_object().expect("a map");
    accounts.values().map(|account| account["name"].as_str().expect("a name").to_owned()).collect()
}

pub(super) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn the_organization_is_listed_with_its_tree() {
    let rig = Rig::start(&Wish::organization());
    rig.control("PUT", "settings", &json!({ "page_size": 1 }));
    let workspace = workspace(&rig, "", ALL);
    workspace.apply().ok();
    let found = data(&workspace, "rdsaccess_accounts.all");
    let (accounts, units) = (&found["accounts"], &found["units"]);

    let ids: BTreeSet<&str> = names(&found["ids"]).into_iter().collect();
    let members = rig.made.organization.accounts.values().map(|account| account.id.as_str());
    assert_eq!(ids, members.chain([rig.made.organization.management_account.as_str()]).collect());
    for (name, made) in &rig.made.organization.accounts {
        let account = &accounts[&made.id];
        let handle = handle(name, &made.id);
        assert_eq!(
            (account["name"].as_str(), account["handle"].as_str()),
            (Some(name.as_str()), Some(handle.as_str()))
        );
        assert_eq!(account["ou_path"], made.ou_path);
        assert_eq!(account["ou_id"], units[&made.ou_path]["id"]);
        assert_eq!((account["status"].as_str(), account["joined_method"].as_str()), (Some("ACTIVE"), Some("CREATED")));
        assert_eq!(account["email"], format!("{name}@example.com"));
        contains_all(account["arn"].as_str().unwrap(), &["arn:aws:organizations::", &made.id]);
        assert!(account["joined_at"].as_str().unwrap().ends_with('Z'), "{account}");
        assert!(account["tags"].is_null(), "nobody asked for tags");
    }
    let eu = &units["Root/Workloads/Prod/EU"];
    assert_eq!((&eu["name"], &eu["parent_path"]), (&json!("EU"), &json!("Root/Workloads/Prod")));
    let held: BTreeSet<&str> = names(&eu["account_ids"]).into_iter().collect();
    assert_eq!(held, BTreeSet::from([rig.account_id("payments-eu"), rig.account_id("orders-eu")]));
    assert!(units["Root"]["parent_path"].is_null());
    let paths = ["Sandbox", "Workloads", "Workloads/Prod", "Workloads/Prod/EU", "Workloads/Staging"];
    let paths: Vec<String> = paths.iter().map(|path| format!("Root/{path}")).collect();
    assert_eq!(names(units)[1..], paths.iter().map(String::as_str).collect::<Vec<_>>());

    for never in ["DescribeAccount", "ListParents", "ListTagsForResource", "AssumeRole"] {
        assert_eq!(rig.calls(never), Vec::<Value>::new(), "the tree is walked by parent");
    }
    let before = workspace.run(&["show", "-json", "-no-color"]).ok().stdout;
    workspace.plan().nothing();
    workspace.apply().ok();
    assert_eq!(workspace.run(&["show", "-json", "-no-color"]).ok().stdout, before, "two runs give the same bytes");
}

#[test]
fn filters_choose_accounts_and_never_rename_them() {
    let rig = Rig::start(&Wish::organization());
    let namesake = rig.aws(
        None,
        "us-east-1",
        "organizations",
        "create_account",
        &json!({ "AccountName": "Payments EU", "Email": "more@example.com" }),
    );
    let namesake = namesake.expect("a seventh account")["CreateAccountStatus"]["AccountId"].clone();
    rig.control("POST", "accounts", &json!({ "id": rig.account_id("payments-staging"), "status": "SUSPENDED" }));
    let root = rig.aws(None, "us-east-1", "organizations", "list_roots", &json!({})).expect("the root");
    let root = root["Roots"][0]["Id"].as_str().expect("an id").to_owned();
    let unit = json!({ "ParentId": root, "Name": "R/D" });
    let unit = rig.aws(None, "us-east-1", "organizations", "create_organizational_unit", &unit).expect("a unit");
    let moved = json!({
        "AccountId": namesake, "SourceParentId": root, "DestinationParentId": unit["OrganizationalUnit"]["Id"],
    });
    rig.aws(None, "us-east-1", "organizations", "move_account", &moved).expect("it is moved");

    let sources = [
        ("all", String::new()),
        ("path", "organizational_units = [\"Root/Workloads\"]".to_owned()),
        ("flat", "organizational_units = [\"Root/Workloads/Prod\"]\nrecursive = false".to_owned()),
        ("id", format!("organizational_units = [{root:?}]\nrecursive = false")),
        ("escaped", "organizational_units = [\"Root/R\\\\/D\"]\nhandle_prefix = \"aws-\"".to_owned()),
        ("gone", "statuses = [\"SUSPENDED\", \"CLOSED\"]\ninclude_tags = true".to_owned()),
        ("tagged", "tags = { environment = \"eu\" }".to_owned()),
        ("any_tag", "tags = { environment = \"*\" }\norganizational_units = [\"Root/Workloads\"]".to_owned()),
        (
            "excluded",
            format!("organizational_units = [\"Root/Sandbox\"]\nexclude_ids = [{:?}]", rig.account_id("sandbox")),
        ),
    ];
    let configuration: String =
        sources.iter().map(|(name, text)| format!("data \"rdsaccess_accounts\" \"{name}\" {{\n{text}\n}}\n")).collect();
    let workspace = workspace(&rig, "", &configuration);
    workspace.apply().ok();

    assert!(!accounts(&workspace, "all").contains("payments-staging"), "it is suspended");
    assert_eq!(accounts(&workspace, "all").len(), 7);
    assert_eq!(accounts(&workspace, "path"), set(&["payments-prod", "payments-eu", "orders-eu"]));
    assert_eq!(accounts(&workspace, "flat"), set(&["payments-prod"]));
    assert_eq!(accounts(&workspace, "id"), set(&["shared-services", "master"]));
    assert_eq!(accounts(&workspace, "escaped"), set(&["Payments EU"]));
    assert_eq!(accounts(&workspace, "gone"), set(&["payments-staging"]));
    assert_eq!(accounts(&workspace, "tagged"), set(&["payments-eu", "orders-eu"]));
    assert_eq!(accounts(&workspace, "any_tag"), set(&["payments-prod", "payments-eu", "orders-eu"]));
    assert_eq!(accounts(&workspace, "excluded"), set(&[]));
    let of = |source: &str, id: &str| data(&workspace, &format!("rdsaccess_accounts.{source}"))["accounts"][id].clone();
    assert_eq!(of("gone", rig.account_id("payments-staging"))["tags"], json!({ "environment": "staging" }));

    let (old, new) = (rig.account_id("payments-eu"), namesake.as_str().expect("an id"));
    for source in ["all", "path", "tagged"] {
        assert_eq!(of(source, old)["handle"], handle("payments-eu", old), "{source}");
    }
    assert_eq!(of("escaped", new)["handle"], handle("aws-payments-eu", new));
    assert_eq!(of("escaped", new)["ou_path"], "Root/R\\/D");
}

#[test]
fn who_may_not_list_the_organization_is_told_what_to_do() {
    let rig = Rig::start(&Wish::organization());
    let member = rig.account_id("payments-eu").to_owned();
    let enter = |account: &str| {
        let role = &rig.made.organization.member_role;
        format!("assume_role = {{ role_arn = \"arn:aws:iam::{account}:role/{role}\" }}")
    };
    let workspace = workspace(&rig, &enter(&member), ALL);
    let run = workspace.plan_run();
    let next = "Use the management account or a delegated administrator of the organization";
    contains_all(&run.error(), &["AWS denied access", "organizations:ListRoots", &member, next]);
    assert_eq!(errors(&run), 1);

    rig.control("PUT", "settings", &json!({ "role_checks": false }));
    write_provider(&workspace, &rig, &enter("999999999999"));
    let run = workspace.plan_run();
    let next = "give `account_ids` instead of listing accounts";
    contains_all(&run.error(), &["No AWS Organization", "organizations:ListRoots", "999999999999", next]);
    assert_eq!(errors(&run), 1);

    write_provider(&workspace, &rig, "");
    rig.control("POST", "deny", &json!({ "actions": ["organizations:ListAccountsForParent"] }));
    let run = workspace.plan_run();
    let account = rig.made.organization.management_account.as_str();
    contains_all(&run.error(), &["AWS denied access", "organizations:ListAccountsForParent", account, "and allow"]);
    assert_eq!(errors(&run), 1);

    rig.control("DELETE", "deny", &Value::Null);
    let admin = json!({ "AccountId": member, "ServicePrincipal": "guardduty.amazonaws.com" });
    rig.aws(None, "us-east-1", "organizations", "register_delegated_administrator", &admin).expect("a delegate");
    write_provider(&workspace, &rig, &enter(&member));
    workspace.apply().ok();
    assert_eq!(accounts(&workspace, "all").len(), 7);
}

#[test]
fn mistakes_in_the_configuration_are_named() {
    let rig = Rig::start(&Wish::organization());
    let workspace = workspace(&rig, "", ALL);
    let said = |text: &str| {
        workspace.write("main.tf", &format!("data \"rdsaccess_accounts\" \"all\" {{\n{text}\n}}\n"));
        let run = workspace.plan_run();
        assert_eq!(errors(&run), 1, "{}", run.stderr);
        run.error()
    };
    let misspelt = said("organizational_units = [\"Root/Workloads/prod\"]");
    contains_all(&misspelt, &["No such organizational unit", "`Root/Workloads/prod`", "Root/Workloads/Prod"]);
    rig.control("DELETE", "log", &Value::Null);
    contains_all(&said("organizational_units = [\"Root//Prod\"]"), &["`Root//Prod` has an empty name"]);
    contains_all(&said("organizational_units = []"), &["not empty"]);
    contains_all(&said("statuses = [\"active\"]"), &["`active` is no status", "`ACTIVE`"]);
    contains_all(&said("exclude_ids = [\"12\"]"), &["exclude_ids", "12"]);
    contains_all(&said("handle_prefix = \"AWS\""), &["lower-case letters"]);
    contains_all(&said("ids = []"), &["ids"]);
    assert_eq!(rig.calls("ListRoots"), Vec::<Value>::new(), "what is wrong on paper needs no call");
}

#[test]
fn throttling_is_waited_for() {
    let rig = Rig::start(&Wish::organization());
    let workspace = workspace(&rig, "", ALL);
    rig.control("POST", "faults", &json!({ "service": "organizations", "action": "List*ForParent", "times": 4 }));
    workspace.apply().ok();
    assert_eq!(accounts(&workspace, "all").len(), 7);
    assert_eq!(rig.control("GET", "faults", &Value::Null)[0]["hits"], 4);
}
