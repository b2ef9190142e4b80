//! AWS Organizations: the tree and the accounts.

use serde_json::{Map, Value, json};

use super::{Paging, no_such_action};
use crate::caller::Caller;
use crate::organization::Organization;
use crate::page::Page;
use crate::wire::{Answer, Refusal, Request, Service};
use crate::world::World;

/// When the first account joined, in seconds since 1970.
const FOUNDED: u64 = 1_600_000_000;

pub(super) fn answer(world: &World, caller: &Caller, request: &Request) -> Result<Answer, Refusal> {
    let organization = &world.organization;
    if caller.account != 0 && request.action != "DescribeOrganization" {
        let text = "You don't have permissions to access this resource.";
        return Err(Refusal::denied(Service::Organizations, text));
    }
    let value = match request.action.as_str() {
        "DescribeOrganization" => describe_organization(organization),
        "DescribeAccount" => {
            json!({"Account": account(organization, asked_account(organization, request, "AccountId")?)})
        }
        "ListRoots" => {
            let root = json!({
                "Id": organization.unit_id(0),
                "Arn": organization.unit_arn(0),
                "Name": Organization::unit_name(0),
                "PolicyTypes": [],
            });
            listed("Roots", paging(world).cut(request, &[], std::iter::once(root))?)
        }
        "ListAccounts" => {
            let all = 0..=organization.accounts;
            listed("Accounts", paging(world).cut(request, &[], all.map(|number| account(organization, number)))?)
        }
        "ListAccountsForParent" => {
            let all = organization.accounts_in(asked_parent(organization, request)?);
            listed("Accounts", paging(world).cut(request, &[], all.map(|number| account(organization, number)))?)
        }
        "ListOrganizationalUnitsForParent" => {
            let all = organization.units_in(asked_parent(organization, request)?);
            let unit = |number| {
                json!({
                    "Id": organization.unit_id(number),
                    "Arn": organization.unit_arn(number),
                    "Name": Organization::unit_name(number),
                })
            };
            listed("OrganizationalUnits", paging(world).cut(request, &[], all.map(unit))?)
        }
        "ListTagsForResource" => {
            let tags = tags(organization, request)?;
            let all = tags.into_iter().map(|(key, value)| json!({"Key": key, "Value": value}));
            listed("Tags", Paging { size: "", ..paging(world) }.cut(request, &[], all)?)
        }
        _ => return Err(no_such_action(request)),
    };
    Ok(Answer::Json(value))
}

fn paging(world: &World) -> Paging {
    let (given, empty_first) = (world.settings.organizations_page, world.settings.empty_pages);
    Paging { token: "NextToken", size: "MaxResults", least: 1, most: 20, given, empty_first }
}

fn listed(name: &str, page: Page<Value>) -> Value {
    let mut all = Map::new();
    all.insert(name.to_owned(), page.entries.into());
    if let Some(token) = page.next {
        all.insert("NextToken".to_owned(), token.into());
    }
    all.into()
}

fn describe_organization(organization: &Organization) -> Value {
    json!({"Organization": {
        "Id": organization.organization_id(),
        "Arn": organization.organization_arn(),
        "FeatureSet": "ALL",
        "MasterAccountArn": organization.account_arn(0),
        "MasterAccountId": organization.account_id(0),
        "MasterAccountEmail": email(organization, 0),
        "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
    }})
}

fn account(organization: &Organization, number: u32) -> Value {
    let status = if organization.is_suspended(number) { "SUSPENDED" } else { "ACTIVE" };
    json!({
        "Id": organization.account_id(number),
        "Arn": organization.account_arn(number),
        "Email": email(organization, number),
        "Name": organization.account_name(number),
        "Status": status,
        "State": status,
        "JoinedMethod": if number % 5 == 4 { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": FOUNDED + u64::from(number) * 3600,
    })
}

fn email(organization: &Organization, number: u32) -> String {
    format!("{}@example.com", organization.account_name(number))
}

fn asked_account(organization: &Organization, request: &Request, parameter: &str) -> Result<u32, Refusal> {
    let found = request.parameter(parameter).and_then(|id| organization.account(id));
    found.ok_or_else(|| Refusal::bad("AccountNotFoundException", "You specified an account that doesn't exist."))
}

fn asked_parent(organization: &Organization, request: &Request) -> Result<u32, Refusal> {
    let found = request.parameter("ParentId").and_then(|id| organization.unit(id));
    found.ok_or_else(|| Refusal::bad("ParentNotFoundException", "You specified parent that doesn't exist."))
}

fn tags(organization: &Organization, request: &Request) -> Result<Vec<(&'static str, &'static str)>, Refusal> {
    let id = request.parameter("ResourceId").unwrap_or_default();
    if let Some(account) = organization.account(id) {
        return Ok(organization.account_tags(account));
    }
    let missing = || Refusal::bad("TargetNotFoundException", "You specified a target that doesn't exist.");
    organization.unit(id).map(|_| Vec::new()).ok_or_else(missing)
}
