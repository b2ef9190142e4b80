//! What happens to the tree between two plans, and what a plan makes of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::accounts::{ALL, accounts, set};
use super::{contains_all, data, handle, names, workspace};
use crate::fixture::planned_changes;
use crate::rig::Rig;
use crate::wish::Wish;
use crate::workspace::Workspace;

/// The organization, as its administrator changes it.
pub(super) struct Administrator<'r> {
    rig: &'r Rig,
    root: String,
}

impl<'r> Administrator<'r> {
    pub(super) fn of(rig: &'r Rig) -> Self {
        let roots = rig.aws(None, "us-east-1", "organizations", "list_roots", &json!({})).expect("the root");
        Self { rig, root: roots["Roots"][0]["Id"].as_str().expect("an id").to_owned() }
    }

    fn ask(&self, operation: &str, params: &Value) -> Value {
        self.rig.aws(None, "us-east-1", "organizations", operation, params).expect(operation)
    }

    /// A new account, which begins below the root; its id.
    pub(super) fn create(&self, name: &str, email: &str) -> String {
        let made = self.ask("create_account", &json!({ "AccountName": name, "Email": format!("{email}@example.com") }));
        made["CreateAccountStatus"]["AccountId"].as_str().expect("an id").to_owned()
    }

    fn create_unit(&self, parent: &str, name: &str) -> String {
        let made = self.ask("create_organizational_unit", &json!({ "ParentId": parent, "Name": name }));
        made["OrganizationalUnit"]["Id"].as_str().expect("an id").to_owned()
    }

    fn rename_unit(&self, unit: &str, name: &str) {
        self.ask("update_organizational_unit", &json!({ "OrganizationalUnitId": unit, "Name": name }));
    }

    fn delete_unit(&self, unit: &str) {
        self.ask("delete_organizational_unit", &json!({ "OrganizationalUnitId": unit }));
    }

    fn move_account(&self, account: &str, from: &str, to: &str) {
        let order = json!({ "AccountId": account, "SourceParentId": from, "DestinationParentId": to });
        self.ask("move_account", &order);
    }

    fn change(&self, account: &str, change: &Value) {
        let mut order = change.clone();
        order["id"] = json!(account);
        self.rig.control("POST", "accounts", &order);
    }
}

/// The mirror of the tree: a folder per unit, and for each account something keyed by its id, by its handle, and
/// something that only its place changes.
const MIRROR: &str = r#"
data "rdsaccess_accounts" "all" {
}

resource "terraform_data" "unit" {
  for_each = data.rdsaccess_accounts.all.units
}

resource "terraform_data" "id" {
  for_each = data.rdsaccess_accounts.all.ids
}

resource "terraform_data" "handle" {
  for_each = toset([for account in data.rdsaccess_accounts.all.accounts : account.handle])
}

resource "terraform_data" "place" {
  for_each = data.rdsaccess_accounts.all.accounts
  input    = "${each.value.ou_path}/${each.value.name}"
}
"#;

/// What the next plan does, as `create id["…"]`, done. What an apply would leave undone shows up in the next answer.
fn changes(workspace: &Workspace<'_>) -> BTreeSet<String> {
    workspace.plan().changes();
    let found = planned_changes(workspace).into_iter().map(|change| {
        let actions: Vec<&str> =
            change["change"]["actions"].as_array().expect("actions").iter().filter_map(Value::as_str).collect();
        let address = change["address"].as_str().expect("an address").trim_start_matches("terraform_data.").to_owned();
        format!("{} {address}", actions.join("+"))
    });
    let found = found.collect();
    workspace.apply_planned().ok();
    found
}

fn expected(lines: &[(&str, &str, &str)]) -> BTreeSet<String> {
    lines.iter().map(|(action, resource, key)| format!("{action} {resource}[{:?}]", key)).collect()
}

#[test]
fn accounts_that_come_move_and_go_touch_nothing_else() {
    let rig = Rig::start(&Wish::organization());
    let (administrator, workspace) = (Administrator::of(&rig), workspace(&rig, "", MIRROR));
    workspace.apply().ok();
    let units = data(&workspace, "rdsaccess_accounts.all")["units"].clone();
    let unit = |path: &str| units[path]["id"].as_str().expect("an id").to_owned();

    // One joins, with the name of another in other letters: that one keeps its handle.
    let new = administrator.create("Payments EU", "more");
    let all = |action: &'static str, name: &str, id: &str| {
        expected(&[(action, "id", id), (action, "handle", &handle(name, id)), (action, "place", id)])
    };
    assert_eq!(changes(&workspace), all("create", "payments-eu", &new));

    administrator.move_account(&new, &administrator.root, &unit("Root/Workloads/Prod/EU"));
    assert_eq!(changes(&workspace), expected(&[("update", "place", &new)]));

    administrator.change(&new, &json!({ "name": "Billing" }));
    let renamed = [
        ("delete", "handle", handle("payments-eu", &new)),
        ("create", "handle", handle("billing", &new)),
        ("update", "place", new.clone()),
    ];
    assert_eq!(changes(&workspace), expected(&renamed.each_ref().map(|(a, r, k)| (*a, *r, k.as_str()))));

    // Another takes the name of one that joined before it, and of one that joined after it.
    let orders = rig.account_id("orders-eu");
    for (from, to) in [("orders-eu", "payments-eu"), ("payments-eu", "billing")] {
        administrator.change(orders, &json!({ "name": to }));
        let renamed = [
            ("delete", "handle", handle(from, orders)),
            ("create", "handle", handle(to, orders)),
            ("update", "place", orders.to_owned()),
        ];
        assert_eq!(changes(&workspace), expected(&renamed.each_ref().map(|(a, r, k)| (*a, *r, k.as_str()))));
    }

    // An account that closes, is closed, or is suspended by AWS leaves; one that is opened again comes back as it was.
    administrator.change(&new, &json!({ "status": "PENDING_CLOSURE" }));
    assert_eq!(changes(&workspace), all("delete", "billing", &new));
    for status in ["CLOSED", "SUSPENDED", "PENDING_ACTIVATION"] {
        administrator.change(&new, &json!({ "status": status }));
        workspace.plan().nothing();
    }
    administrator.change(&new, &json!({ "status": "ACTIVE" }));
    assert_eq!(changes(&workspace), all("create", "billing", &new));
    administrator.ask("close_account", &json!({ "AccountId": new }));
    assert_eq!(changes(&workspace), all("delete", "billing", &new));
    // After 90 days AWS removes it from the organization.
    administrator.ask("remove_account_from_organization", &json!({ "AccountId": new }));
    workspace.plan().nothing();
}

#[test]
fn units_that_are_renamed_moved_and_removed_touch_only_their_places() {
    let rig = Rig::start(&Wish::organization());
    let (administrator, workspace) = (Administrator::of(&rig), workspace(&rig, "", MIRROR));
    workspace.apply().ok();
    let unit = |path: &str| {
        let found = data(&workspace, "rdsaccess_accounts.all");
        found["units"][path]["id"].as_str().expect("an id").to_owned()
    };
    let (prod, eu) = (unit("Root/Workloads/Prod"), unit("Root/Workloads/Prod/EU"));
    let in_eu = [rig.account_id("payments-eu"), rig.account_id("orders-eu")];

    administrator.rename_unit(&prod, "Live");
    let mut renamed = vec![
        ("delete", "unit", "Root/Workloads/Prod"),
        ("delete", "unit", "Root/Workloads/Prod/EU"),
        ("create", "unit", "Root/Workloads/Live"),
        ("create", "unit", "Root/Workloads/Live/EU"),
        ("update", "place", rig.account_id("payments-prod")),
    ];
    renamed.extend(in_eu.map(|id| ("update", "place", id)));
    assert_eq!(changes(&workspace), expected(&renamed));

    // AWS moves no unit: a new one is made, the accounts go there, the old one is deleted.
    let there = administrator.create_unit(&administrator.root, "EU West");
    assert_eq!(changes(&workspace), expected(&[("create", "unit", "Root/EU West")]));
    in_eu.iter().for_each(|account| administrator.move_account(account, &eu, &there));
    administrator.delete_unit(&eu);
    let mut moved = vec![("delete", "unit", "Root/Workloads/Live/EU")];
    moved.extend(in_eu.map(|id| ("update", "place", id)));
    assert_eq!(changes(&workspace), expected(&moved));
    workspace.plan().nothing();
}

/// Something for each account of a selection by units and tags.
fn selection(name: &str, unit: &str, more: &str) -> String {
    format!(
        "data \"rdsaccess_accounts\" \"{name}\" {{\n  organizational_units = [{unit:?}]\n{more}}}\n\
         resource \"terraform_data\" \"{name}\" {{\n  for_each = data.rdsaccess_accounts.{name}.accounts\n  \
         input = each.value.name\n}}\n"
    )
}

#[test]
fn an_account_that_leaves_the_selection_is_destroyed_and_one_that_enters_is_made() {
    let rig = Rig::start(&Wish::organization());
    let administrator = Administrator::of(&rig);
    let reader = workspace(&rig, "", MIRROR);
    reader.apply().ok();
    let units = data(&reader, "rdsaccess_accounts.all")["units"].clone();
    let unit = |path: &str| units[path]["id"].as_str().expect("an id").to_owned();
    let (prod, eu, sandbox) = (unit("Root/Workloads/Prod"), unit("Root/Workloads/Prod/EU"), unit("Root/Sandbox"));
    let account = rig.account_id("orders-eu");

    let by_path = selection("path", "Root/Workloads/Prod", "");
    let by_tag = selection("tag", &prod, "  tags = { kept = \"yes\" }\n");
    let workspace = workspace(&rig, "", &[by_path, selection("id", &prod, ""), by_tag].concat());
    workspace.apply().ok();
    let both = |action: &'static str| expected(&[(action, "path", account), (action, "id", account)]);
    administrator.move_account(account, &eu, &sandbox);
    assert_eq!(changes(&workspace), both("delete"), "out of the selected unit, and nobody else with it");
    administrator.move_account(account, &sandbox, &prod);
    assert_eq!(changes(&workspace), both("create"));
    administrator.move_account(account, &prod, &eu);
    workspace.plan().nothing();

    let tag = json!({ "ResourceId": account, "Tags": [{ "Key": "kept", "Value": "yes" }] });
    administrator.ask("tag_resource", &tag);
    assert_eq!(changes(&workspace), expected(&[("create", "tag", account)]));
    administrator.ask("untag_resource", &json!({ "ResourceId": account, "TagKeys": ["kept"] }));
    assert_eq!(changes(&workspace), expected(&[("delete", "tag", account)]));

    // Another name of the unit stops a plan that names it by path, and means nothing to one that names it by id.
    administrator.rename_unit(&prod, "Live");
    contains_all(
        &workspace.plan_run().error(),
        &["No such organizational unit", "Root/Workloads/Prod", "Root/Workloads/Live"],
    );
    workspace.write("main.tf", &selection("path", "Root/Workloads/Live", ""));
    workspace.apply().ok();
    workspace.write("main.tf", &[selection("path", "Root/Workloads/Live", ""), selection("id", &prod, "")].concat());
    workspace.apply().ok();
    administrator.rename_unit(&prod, "Prod");
    workspace.write("main.tf", &[selection("path", "Root/Workloads/Prod", ""), selection("id", &prod, "")].concat());
    workspace.plan().nothing();

    // A unit that is gone is an error, however it was named.
    let [first, second] = ["payments-eu", "orders-eu"].map(|name| rig.account_id(name));
    workspace.write("main.tf", &selection("id", &eu, ""));
    workspace.apply().ok();
    [first, second].iter().for_each(|account| administrator.move_account(account, &eu, &prod));
    administrator.delete_unit(&eu);
    contains_all(&workspace.plan_run().error(), &["No such organizational unit", &eu]);
}

#[test]
fn names_of_units_may_hold_anything() {
    let rig = Rig::start(&Wish::organization());
    let administrator = Administrator::of(&rig);
    let (mut parent, mut paths) = (administrator.root.clone(), vec!["Root".to_owned()]);
    for (name, written) in
        [("R/D", "R\\/D"), ("C:\\Data", "C:\\\\Data"), ("Straße 日本", "Straße 日本"), ("end\\", "end\\\\")]
    {
        parent = administrator.create_unit(&parent, name);
        paths.push(format!("{}/{written}", paths[paths.len() - 1]));
    }
    let deep = administrator.create("Deep", "deep");
    administrator.move_account(&deep, &administrator.root, &parent);
    let source = |name: &str, path: &str| {
        format!(
            "data \"rdsaccess_accounts\" {name:?} {{\n  organizational_units = [{}]\n  recursive = false\n}}\n",
            json!(path)
        )
    };
    let sources: Vec<String> =
        paths.iter().enumerate().skip(1).map(|(n, path)| source(&format!("unit{n}"), path)).collect();
    let workspace = workspace(&rig, "", &format!("{ALL}{}", sources.concat()));
    workspace.apply().ok();

    let found = data(&workspace, "rdsaccess_accounts.all");
    assert_eq!(found["accounts"][&deep]["ou_path"], json!(paths[4]));
    for (n, path) in paths.iter().enumerate().skip(1) {
        assert_eq!(found["units"][path]["parent_path"], json!(paths[n - 1]), "{path}");
        let here = if n == 4 { set(&["Deep"]) } else { set(&[]) };
        assert_eq!(accounts(&workspace, &format!("unit{n}")), here, "{path}: a unit without accounts is no error");
    }
    assert_eq!(names(&found["units"][&paths[1]]["account_ids"]), Vec::<&str>::new());
    workspace.plan().nothing();

    workspace.write("main.tf", &source("missing", "Root/R/D"));
    let error = workspace.plan_run().error();
    contains_all(&error, &["No such organizational unit", "`Root/R/D`", "Root/R\\/D", "give the id"]);
}

#[test]
fn data_sources_share_the_readings_and_only_the_chosen_accounts_cost_a_call_for_tags() {
    let rig = Rig::start(&Wish::organization());
    let member = rig.account_id("orders-eu").to_owned();
    let tagged = format!(
        "data \"rdsaccess_accounts\" \"tagged\" {{\n  organizational_units = [\"Root/Workloads/Prod\"]\n  tags = {{ \
         environment = \"*\" }}\n  exclude_ids = [{member:?}]\n}}\n"
    );
    let more: String = (0..8).map(|n| format!("data \"rdsaccess_accounts\" \"n{n}\" {{\n}}\n")).collect();
    let workspace = workspace(&rig, "", &format!("{tagged}{more}"));
    rig.control("PUT", "settings", &json!({ "latency_ms": 100 }));
    rig.control("DELETE", "log", &Value::Null);
    workspace.plan_run();

    let readings = rig.calls("ListRoots").len();
    assert!((1..=2).contains(&readings), "nine data sources began {readings} readings");
    for listing in ["ListAccountsForParent", "ListOrganizationalUnitsForParent"] {
        let calls = rig.calls(listing);
        assert_eq!(calls.len(), 6 * readings, "one call per unit and reading");
        assert!(calls.iter().all(|call| call["params"]["MaxResults"] == 20), "the largest page: {calls:?}");
    }
    let asked: BTreeSet<_> =
        rig.calls("ListTagsForResource").iter().map(|call| call["params"]["ResourceId"].to_string()).collect();
    let chosen = ["payments-prod", "payments-eu"].map(|name| json!(rig.account_id(name)).to_string());
    assert_eq!(asked, BTreeSet::from(chosen));
}
