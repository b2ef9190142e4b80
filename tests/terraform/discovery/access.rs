//! `check_access` of `rdsaccess_accounts`, and the errors of entering an account.

use serde_json::{Value, json};

use super::{contains_all, data, names, workspace, write_provider};
use crate::fixture::distrust;
use crate::rig::Rig;
use crate::wish::Wish;
use crate::workspace::Workspace;

const AGREED: &str = "agreed-on";
const CHECKED: &str = "data \"rdsaccess_accounts\" \"all\" {\n  statuses     = [\"ACTIVE\", \"SUSPENDED\", \"PENDING_CLOSURE\", \
                       \"CLOSED\"]\n  check_access = true\n}\n";

/// An account that the organization makes, in a state.
fn another(rig: &Rig, name: &str, status: &str) -> String {
    let params = json!({ "AccountName": name, "Email": format!("{name}@example.com") });
    let made = rig.aws(None, "us-east-1", "organizations", "create_account", &params).expect("an account");
    let id = made["CreateAccountStatus"]["AccountId"].as_str().expect("an id").to_owned();
    rig.control("POST", "accounts", &json!({ "id": id, "status": status }));
    id
}

/// `access` of an account in the state: the word and the reason.
fn access(workspace: &Workspace<'_>, id: &str) -> (String, String) {
    let access = data(workspace, "rdsaccess_accounts.all")["accounts"][id]["access"].clone();
    let text = |name: &str| access[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

/// How often the role of an account was asked for.
fn attempts(rig: &Rig, account: &str) -> usize {
    let arn = format!(":{account}:");
    rig.calls("AssumeRole").iter().filter(|call| call["params"]["RoleArn"].as_str().unwrap().contains(&arn)).count()
}

#[test]
fn each_account_says_whether_it_can_be_entered_and_none_fails_the_run() {
    let rig = Rig::start(&Wish::organization().external_id(AGREED));
    let closing =
        [("closing", "PENDING_CLOSURE"), ("closed", "CLOSED")].map(|(name, state)| (another(&rig, name, state), state));
    rig.control("POST", "accounts", &json!({ "id": rig.account_id("orders-eu"), "status": "SUSPENDED" }));
    distrust(&rig, "sandbox");
    rig.control(
        "POST",
        "deny",
        &json!({ "actions": ["sts:AssumeRole"], "account": rig.account_id("payments-staging") }),
    );
    rig.control("DELETE", "log", &Value::Null);
    let [mistaken, renamed] = ["payments-prod", "payments-eu"].map(|name| rig.account_id(name));
    let provider = format!(
        "  member_role = {{\n    external_id = {AGREED:?}\n    overrides = {{\n      {mistaken:?} = {{ external_id = \"mistaken\" \
         }}\n      {renamed:?} = {{ name = \"NoSuchRole\" }}\n    }}\n  }}"
    );
    let workspace = workspace(&rig, &provider, CHECKED);
    workspace.apply().ok();

    let found = data(&workspace, "rdsaccess_accounts.all");
    assert_eq!(names(&found["ids"]).len(), 9, "the filters leave them all");
    for id in [rig.account_id("shared-services"), &rig.made.organization.management_account] {
        let ok = &found["accounts"][id]["access"];
        assert_eq!((&ok["state"], &ok["reason"]), (&json!("ok"), &Value::Null), "{id}");
    }
    assert_eq!(attempts(&rig, &rig.made.organization.management_account), 0, "the caller's own account needs no role");

    let (state, reason) = access(&workspace, mistaken);
    assert_eq!(state, "external id wrong", "{reason}");
    contains_all(&reason, &["takes `member_role.external_id`", "`member_role.overrides`"]);
    assert_eq!(attempts(&rig, mistaken), 2, "one more try, with the general id");

    let (state, reason) = access(&workspace, renamed);
    assert_eq!(state, "denied", "AWS does not say that a role is missing: {reason}");
    let arn = format!("arn:aws:iam::{renamed}:role/NoSuchRole");
    contains_all(
        &reason,
        &["does not tell", &format!("that the role {arn} exists"), "asks for exactly the external id", renamed],
    );
    contains_all(&reason, &["aws iam get-role --role-name NoSuchRole", "\"AWS\": \"arn:aws:"]);
    assert_eq!(attempts(&rig, renamed), 1, "there is no other id to try");

    let (state, reason) = access(&workspace, rig.account_id("sandbox"));
    assert_eq!(state, "denied", "nor that a trust policy names somebody else: {reason}");
    contains_all(&reason, &["that its trust policy names the caller", "simulate-principal-policy"]);

    let (state, reason) = access(&workspace, rig.account_id("payments-staging"));
    assert_eq!(state, "denied");
    contains_all(
        &reason,
        &["because no identity-based policy allows", "is in the way, not the account", "allow sts:AssumeRole on"],
    );

    let suspended = (rig.account_id("orders-eu").to_owned(), "SUSPENDED");
    for (id, status) in closing.iter().chain([&suspended]) {
        let (state, reason) = access(&workspace, id);
        assert_eq!((state.as_str(), attempts(&rig, id)), ("suspended", 0), "{reason}");
        contains_all(&reason, &[status, "AWS Support"]);
    }
    assert_eq!(rig.calls("DescribeAccount"), Vec::<Value>::new(), "the tree tells the status");
    workspace.plan().nothing();
}

#[test]
fn what_is_not_asked_is_null_and_what_was_not_learned_is_unknown() {
    let rig = Rig::start(&Wish::organization());
    let only = |more: &str| {
        format!("data \"rdsaccess_accounts\" \"all\" {{\n  organizational_units = [\"Root/Sandbox\"]\n{more}\n}}\n")
    };
    let workspace = workspace(&rig, "", &only(""));
    workspace.apply().ok();
    let sandbox = rig.account_id("sandbox");
    assert!(data(&workspace, "rdsaccess_accounts.all")["accounts"][sandbox]["access"].is_null());
    assert_eq!(attempts(&rig, sandbox), 0);

    workspace.write("main.tf", &only("check_access = true"));
    for (code, message, expected) in [
        ("InvalidClientTokenId", "The security token included in the request is invalid.", "unknown"),
        ("ValidationError", "Request ARN is invalid", "role missing"),
        (
            "ValidationError",
            "1 validation error detected: Value 'a' at 'externalId' failed to satisfy constraint",
            "external id wrong",
        ),
        ("RegionDisabledException", "STS is not activated in this region for account:1.", "denied"),
        (
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            "denied",
        ),
    ] {
        let fault = json!({ "service": "sts", "action": "AssumeRole", "times": -1, "code": code, "message": message, "status": 403 });
        rig.control("POST", "faults", &fault);
        workspace.apply().ok();
        let (state, reason) = access(&workspace, sandbox);
        assert_eq!(state, expected, "{reason}");
        contains_all(&reason, &[message]);
        rig.control("DELETE", "faults", &Value::Null);
    }
    workspace.apply().ok();
    assert_eq!(access(&workspace, sandbox), ("ok".to_owned(), String::new()));
}

#[test]
fn the_error_of_entering_an_account_names_what_is_proven() {
    let rig = Rig::start(&Wish::organization());
    let [account, own] = [rig.account_id("payments-eu"), rig.made.organization.management_account.as_str()];
    let list = |id: &str| format!("data \"rdsaccess_instances\" \"all\" {{\n  account_ids = [{id:?}]\n}}\n");
    let workspace = workspace(&rig, "", &list(account));
    let said = |parts: &[&str]| {
        let run = workspace.plan_run();
        contains_all(&run.error(), parts);
        assert_eq!(run.stderr.matches("\nError: ").count(), 1, "{}", run.stderr);
    };
    let role = format!("arn:aws:iam::{account}:role/{}", rig.made.organization.member_role);

    write_provider(&workspace, &rig, "  member_role = { name = \"NoSuchRole\" }");
    let missing = format!("Check that the role arn:aws:iam::{account}:role/NoSuchRole exists");
    said(&[
        "Cannot enter the account",
        account,
        &missing,
        "AWS does not tell the possible causes apart",
        "the account is active",
    ]);

    write_provider(&workspace, &rig, "  member_role = { duration = \"12h\" }");
    said(&[
        "The session is too long",
        "exceeds the MaxSessionDuration",
        "raise the role's maximum session duration",
        &role,
    ]);

    write_provider(&workspace, &rig, "  member_role = { external_id = \"x\" }");
    said(&["Cannot enter the account", "at 'externalId' failed to satisfy", "2 to 1,224 letters"]);

    write_provider(&workspace, &rig, "");
    rig.control("POST", "deny", &json!({ "actions": ["sts:AssumeRole"], "account": account }));
    said(&[
        "Cannot enter the account",
        "The identity-based policy of arn:aws:",
        "is in the way, not the account",
        &role,
    ]);
    rig.control("DELETE", "deny", &Value::Null);

    distrust(&rig, "payments-eu");
    said(&["Cannot enter the account", "that its trust policy names the caller", own, "\"AWS\": \"arn:aws:"]);

    for status in ["SUSPENDED", "PENDING_CLOSURE", "CLOSED"] {
        rig.control("POST", "accounts", &json!({ "id": account, "status": status }));
        let is = format!("the account is {status} in AWS Organizations");
        said(&["The account is suspended or closed", account, &is, "have AWS Support reopen it"]);
    }
    rig.control("POST", "deny", &json!({ "actions": ["organizations:DescribeAccount"] }));
    said(&["Cannot enter the account", "that the account is active"]);
}
