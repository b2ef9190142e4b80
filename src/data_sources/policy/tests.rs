//! The documents: compared with the committed files, and rules that hold for every one of them.

mod reference;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::actions::{AGENT, HUB, MEMBER, On, Permission};
use super::documents::Wanted;
use super::model::Policy;
use super::scope::Database;
use super::*;
use crate::access::Partition;
use crate::aws::settings::{AssumeRole, MemberOverride, MemberRole, TokenOrigin, WebIdentity, WebToken};
use crate::golden::{compare, root};
use crate::store::SecretsManagerSettings;

const HUB_ROLE: &str = "arn:aws:iam::111111111111:role/terraform";
const AGENT_ROLE: &str = "arn:aws:iam::222222222222:role/agent";
const ORDERS: &str = "arn:aws:rds:eu-central-1:222222222222:db:orders";
const LEDGER: &str = "arn:aws:rds:us-east-1:333333333333:cluster:ledger";
const KEY: &str = "arn:aws:kms:eu-central-1:222222222222:key/0a1b2c3d-0000-4000-8000-000000000001";

fn database(arn: &str) -> Database {
    let arn: Arn = arn.parse().unwrap();
    let resource_id = Some(format!("{}-ABC", arn.kind.arn_word()));
    Database { arn, resource_id }
}

fn set<T: std::str::FromStr<Err: std::fmt::Debug> + Ord>(texts: &[&str]) -> BTreeSet<T> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn general() -> Wanted {
    Wanted {
        partition: Partition::Aws,
        features: Feature::ALL.into_iter().collect(),
        databases: None,
        hub: set(&[HUB_ROLE]),
        agents: BTreeSet::new(),
        external_id: Some("agreed-on".to_owned()),
        roles: set(&["hoop_ddl", "hoop_ro", "hoop_rw"]),
        admins: BTreeSet::new(),
        keys: BTreeSet::new(),
        store: Some(SecretsManagerSettings::default()),
        member_role: MemberRole::default(),
        home_region: "eu-central-1".parse().ok(),
    }
}

fn exact() -> Wanted {
    Wanted { databases: Some(vec![database(ORDERS), database(LEDGER)]), ..general() }
}

/// All that the provider block and the arguments can add.
fn full() -> Wanted {
    let store = SecretsManagerSettings {
        kms_key_id: Some("alias/secrets".to_owned()),
        replica_regions: vec!["eu-west-1".parse().unwrap()],
        ..SecretsManagerSettings::default()
    };
    let other = MemberOverride { name: Some("path/Special".to_owned()), external_id: None };
    let overrides = [("333333333333".parse().unwrap(), other)].into();
    Wanted {
        agents: set(&[AGENT_ROLE]),
        admins: set(&["dba"]),
        keys: set(&[KEY]),
        store: Some(store),
        member_role: MemberRole { overrides, ..MemberRole::default() },
        ..exact()
    }
}

/// One account for everything.
fn alone() -> Wanted {
    Wanted {
        hub: set(&["arn:aws:iam::222222222222:role/terraform"]),
        databases: Some(vec![database(ORDERS)]),
        ..general()
    }
}

/// One store for all accounts, in the hub's.
fn central() -> Wanted {
    let store = SecretsManagerSettings {
        account_id: "111111111111".parse().ok(),
        region: "eu-central-1".parse().ok(),
        kms_key_id: Some("0a1b2c3d-0000-4000-8000-000000000001".to_owned()),
        ..SecretsManagerSettings::default()
    };
    Wanted { store: Some(store), ..exact() }
}

fn filled(wanted: &Wanted) -> Policy {
    let mut state = Policy::default();
    fill(&mut state, wanted).unwrap();
    state
}

fn documents(wanted: &Wanted) -> Vec<(&'static str, Value)> {
    let state = filled(wanted);
    let all = [
        ("hub", state.hub_policy_json),
        ("member", state.member_policy_json),
        ("trust", state.trust_policy_json),
        ("agent", state.agent_policy_json),
        ("template", state.cloudformation_template),
    ];
    let parse = |text: String| serde_json::from_str(&text).unwrap();
    all.into_iter().filter_map(|(name, text)| Some((name, parse(text.into_known()?)))).collect()
}

fn document(wanted: &Wanted, name: &str) -> Option<Value> {
    documents(wanted).into_iter().find(|(found, _)| *found == name).map(|(_, document)| document)
}

fn statements(document: &Value) -> &[Value] {
    document["Statement"].as_array().unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().map(|text| text.as_str().unwrap()).collect(),
        other => panic!("{other} is no text"),
    }
}

fn actions(document: &Value) -> BTreeSet<&str> {
    statements(document).iter().flat_map(|statement| texts(&statement["Action"])).collect()
}

fn resources(document: &Value) -> BTreeSet<&str> {
    statements(document).iter().flat_map(|statement| texts(&statement["Resource"])).collect()
}

#[test]
fn the_documents_are_the_committed_ones() {
    let (folder, mut wrong) = (root().join("tests/golden/policy"), Vec::new());
    let cases =
        [("pattern", general()), ("exact", exact()), ("full", full()), ("alone", alone()), ("central", central())];
    for (case, wanted) in cases {
        for (name, document) in documents(&wanted) {
            let path = folder.join(format!("{case}.{name}.json"));
            wrong.extend(compare(&path, &format!("{document:#}\n")).err());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn one_account_needs_neither_the_organization_nor_a_role() {
    let hub = document(&alone(), "hub").unwrap();
    let foreign = |action: &&&str| action.starts_with("organizations:") || action.starts_with("sts:");
    assert_eq!(actions(&hub).iter().filter(foreign).count(), 0, "{hub}");
    assert!(actions(&hub).contains("rds:ModifyDBInstance") && !actions(&hub).contains("rds:ModifyDBCluster"));
    assert_eq!(hub["Statement"], document(&alone(), "member").unwrap()["Statement"]);
}

#[test]
fn a_hub_reaches_all_databases_of_its_own_account_as_well() {
    let hub = document(&general(), "hub").unwrap();
    for on in ["rds:*:111111111111:db:*", "secretsmanager:*:111111111111:secret:rdsaccess/111111111111/*/db/*/*"] {
        assert!(resources(&hub).contains(format!("arn:aws:{on}").as_str()), "{on} in {hub}");
    }
    let member = document(&general(), "member").unwrap();
    assert!(actions(&member).is_subset(&actions(&hub)), "{hub}");
    let others = resources(&hub).into_iter().filter(|arn| {
        let account = arn.split(':').nth(4).unwrap_or_default();
        account == "*" && ![":vpc/", ":organizations:", ":role/"].iter().any(|kind| arn.contains(kind))
            || account.starts_with('2')
    });
    assert_eq!(others.count(), 0, "the role opens the others: {hub}");
}

#[test]
fn one_account_without_names_of_databases_needs_what_the_role_would_hold_alone() {
    let member = document(&Wanted { hub: BTreeSet::new(), ..general() }, "member").unwrap();
    assert!(actions(&member).contains("rds:ModifyDBInstance"));
    assert!(!actions(&member).iter().any(|action| action.starts_with("organizations:") || action.starts_with("sts:")));
}

#[test]
fn principals_of_two_accounts_reach_their_own_and_enter_each_others() {
    let hub = set(&[HUB_ROLE, "arn:aws:iam::222222222222:role/terraform"]);
    let document = document(&Wanted { hub, ..exact() }, "hub").unwrap();
    for on in [ORDERS, "arn:aws:iam::222222222222:role/HoopOrganizationAccountAccessRole"] {
        assert!(resources(&document).contains(on), "{on} in {document}");
    }
    for statement in statements(&document) {
        let on = texts(&statement["Resource"]);
        let stays = &statement["Condition"]["StringEquals"]["aws:ResourceAccount"];
        assert!(!on.iter().any(|arn| arn.contains(":secret:")) || stays == "${aws:PrincipalAccount}", "{statement}");
    }
}

#[test]
fn who_the_provider_runs_as_is_the_last_role_that_its_block_takes() {
    let role = |name: &str| format!("arn:aws:iam::111111111111:role/{name}");
    let assumed = |settings: &Settings| super::assumed(settings).unwrap().map(|principal| principal.to_string());
    let mut settings = Settings::default();
    assert_eq!(assumed(&settings), None);
    settings.web_identity = Some(WebIdentity {
        role_arn: role("ci"),
        token: WebToken::File("/token".into()),
        session_name: None,
        origin: TokenOrigin::Environment,
    });
    assert_eq!(assumed(&settings), Some(role("ci")));
    settings.assume_role = Some(AssumeRole { role_arn: role("terraform"), ..AssumeRole::default() });
    assert_eq!(assumed(&settings), Some(role("terraform")));
    assert!(page::nobody_enters(&Wanted { hub: BTreeSet::new(), ..general() }).is_some());
    assert!(page::nobody_enters(&general()).is_none() && page::nobody_enters(&full()).is_none());
}

#[test]
fn a_role_that_no_document_can_hold_is_told_and_not_left_out() {
    let assume =
        |name: &str| AssumeRole { role_arn: format!("arn:aws:iam::111111111111:role/{name}"), ..AssumeRole::default() };
    for name in ["ci,prod", "ci prod", "ci*"] {
        let settings = Settings { assume_role: Some(assume(name)), ..Settings::default() };
        let report = Report::of(&super::assumed(&settings).unwrap_err()).to_string();
        for words in [name, "hub_principal_arns", ":root"] {
            assert!(report.contains(words), "{words} is not in: {report}");
        }
    }
}

#[test]
fn a_secret_loses_the_replicas_of_former_settings() {
    let member = document(&exact(), "member").unwrap();
    let removes = "secretsmanager:RemoveRegionsFromReplication";
    let statement = statements(&member).iter().find(|one| texts(&one["Action"]).contains(&removes)).unwrap();
    assert_eq!(statement["Condition"]["StringEquals"]["aws:ResourceTag/rdsaccess:managed"], "true");
    assert!(!actions(&member).contains("secretsmanager:ReplicateSecretToRegions"), "there are none to add");
}

#[test]
fn a_group_can_be_made_in_a_vpc_that_another_account_shares() {
    for wanted in [general(), exact(), alone()] {
        for (name, document) in documents(&wanted).into_iter().filter(|(name, _)| ["member", "template"].contains(name))
        {
            let text = document.to_string();
            assert!(text.contains(":*:vpc/*"), "{name}: {text}");
            assert!(!text.contains("AccountId}:vpc/") && !text.contains("222222222222:vpc/"), "{name}: {text}");
        }
    }
}

#[test]
fn the_hub_enters_exactly_the_accounts_of_the_databases() {
    let hub = document(&exact(), "hub").unwrap();
    let roles: Vec<&str> = resources(&hub).into_iter().filter(|arn| arn.contains(":role/")).collect();
    let role = |account: &str| format!("arn:aws:iam::{account}:role/HoopOrganizationAccountAccessRole");
    assert_eq!(roles, [role("222222222222"), role("333333333333")]);
    let hub = document(&full(), "hub").unwrap();
    assert!(resources(&hub).contains("arn:aws:iam::333333333333:role/path/Special"), "{hub}");
    let hub = document(&general(), "hub").unwrap();
    let enter = statements(&hub).iter().find(|statement| statement["Action"] == "sts:AssumeRole").unwrap();
    assert_eq!(enter["Resource"], "arn:aws:iam::*:role/HoopOrganizationAccountAccessRole");
    assert_eq!(enter["Condition"]["StringEquals"]["aws:ResourceOrgID"], "${aws:PrincipalOrgID}");
}

#[test]
fn a_store_in_the_hubs_account_is_the_hubs_alone() {
    let of_secrets = |name: &str| {
        let document = document(&central(), name).unwrap();
        resources(&document).iter().filter(|arn| arn.contains(":secret:rdsaccess/")).map(ToString::to_string).collect()
    };
    let (hub, member): (Vec<String>, Vec<String>) = (of_secrets("hub"), of_secrets("member"));
    let name = |rest: &str| format!("arn:aws:secretsmanager:eu-central-1:111111111111:secret:rdsaccess/{rest}/*");
    assert_eq!(hub, [name("222222222222/eu-central-1/db/orders"), name("333333333333/us-east-1/cluster/ledger")]);
    assert_eq!(member, Vec::<String>::new());
    let elsewhere =
        SecretsManagerSettings { account_id: "444444444444".parse().ok(), ..SecretsManagerSettings::default() };
    let wanted = Wanted { store: Some(elsewhere), ..exact() };
    let hub = document(&wanted, "hub").unwrap();
    assert!(resources(&hub).contains("arn:aws:iam::444444444444:role/HoopOrganizationAccountAccessRole"), "{hub}");
}

#[test]
fn an_agent_reads_the_secrets_of_the_roles_and_nothing_else() {
    let agent = document(&full(), "agent").unwrap();
    assert_eq!(actions(&agent), BTreeSet::from(["kms:Decrypt", "rds-db:connect", "secretsmanager:GetSecretValue"]));
    let place = "arn:aws:secretsmanager:eu-central-1:222222222222:secret:rdsaccess/222222222222/eu-central-1/db/orders";
    assert!(resources(&agent).contains(format!("{place}/hoop_ro-??????").as_str()), "{agent}");
    assert!(resources(&agent).contains("arn:aws:rds-db:us-east-1:333333333333:dbuser:cluster-ABC/hoop_rw"));
    assert!(!agent.to_string().contains("dba"), "an administrator is not the agent's");
    for statement in statements(&agent) {
        assert_eq!(statement["Condition"]["ArnLike"]["aws:PrincipalArn"], AGENT_ROLE);
    }
}

#[test]
fn secrets_in_vault_need_no_permission() {
    let wanted = Wanted { store: None, features: [Feature::RolePassword, Feature::SecretRead].into(), ..exact() };
    assert_eq!(document(&wanted, "agent"), None);
    let member = document(&wanted, "member").unwrap();
    let secrets: Vec<&str> = resources(&member).into_iter().filter(|arn| arn.contains("secretsmanager")).collect();
    assert!(secrets.iter().all(|arn| arn.contains(":secret:rds!")), "{secrets:?}");
}

#[test]
fn without_a_known_hub_nobody_is_trusted() {
    let wanted = Wanted { hub: BTreeSet::new(), ..general() };
    assert_eq!(document(&wanted, "trust"), None);
    let template = document(&wanted, "template").unwrap();
    assert_eq!(template["Parameters"]["HubPrincipalArns"].get("Default"), None, "CloudFormation asks for it");
}

#[test]
fn a_document_that_iam_would_refuse_is_an_error_that_says_how_to_shorten_it() {
    let many = (0..100).map(|n| database(&format!("arn:aws:rds:eu-central-1:222222222222:db:orders-{n}")));
    let wanted = Wanted { databases: Some(many.collect()), ..general() };
    let report = Report::of(&fill(&mut Policy::default(), &wanted).unwrap_err());
    assert!(report.detail.contains("member_policy_json would have"), "{}", report.detail);
    assert!(report.detail.contains("at most 10240") && report.detail.contains("for_each"), "{}", report.detail);
}

/// The page tells how long documents get, so that nobody finds out by an error.
#[test]
fn documents_are_as_long_as_the_page_says() {
    let length = |wanted: &Wanted, name: &str| document(wanted, name).map_or(0, |document| document.to_string().len());
    let (member, hub) = (length(&general(), "member"), length(&general(), "hub"));
    assert!((5_000..6_000).contains(&member) && (5_500..7_000).contains(&hub), "{member} and {hub} by pattern");
    let of = |count: usize, features: &BTreeSet<Feature>| {
        let databases =
            (0..count).map(|n| database(&format!("arn:aws:rds:eu-central-1:222222222222:db:orders-{n:03}")));
        let wanted = Wanted { databases: Some(databases.collect()), features: features.clone(), ..general() };
        length(&wanted, "member")
    };
    let each = |features: &BTreeSet<Feature>| (of(8, features) - of(4, features)) / 4;
    let (all, roles) = (each(&general().features), each(&[Feature::RolePassword].into()));
    assert!((350..500).contains(&all) && (350..500).contains(&roles), "{all} and {roles} for each database");
    let ten = of(10, &general().features);
    assert!(ten < POLICY.0 && ten + 5 * all > POLICY.0, "about ten fit: {ten}");
}

#[test]
fn arns_of_two_partitions_are_refused() {
    let config = Policy {
        target_arns: set(&[ORDERS]).into(),
        hub_principal_arns: set(&["arn:aws-cn:iam::111111111111:root"]).into(),
        ..Policy::default()
    };
    let reports = PolicyDataSource::validate(&config);
    assert!(reports[0].detail.contains("aws, aws-cn"), "{reports:?}");
}

#[test]
fn a_session_is_as_long_as_the_provider_asks_for() {
    let longest = |duration: &str| {
        let member_role = MemberRole { duration: duration.parse().unwrap(), ..MemberRole::default() };
        let template = document(&Wanted { member_role, ..general() }, "template").unwrap();
        template["Parameters"]["MaxSessionDuration"]["Default"].as_u64().unwrap()
    };
    assert_eq!((longest("15m"), longest("2h"), longest("12h")), (3_600, 7_200, 43_200));
}

#[test]
fn an_agent_in_another_account_is_warned_about() {
    let warned = |wanted: &Wanted| page::out_of_reach(wanted).map(|report| report.detail);
    assert!(warned(&full()).unwrap().contains("333333333333"));
    assert_eq!(warned(&exact()), None, "nobody said where agents run");
    let here = Wanted { agents: set(&["arn:aws:iam::222222222222:root"]), ..alone() };
    assert_eq!(warned(&here), None);
}

/// The rows of the table that an action stands in.
fn rows(action: &str) -> Vec<&'static Permission> {
    [HUB, MEMBER, AGENT].into_iter().flatten().filter(|row| row.action == action).collect()
}

fn check_document(wanted: &Wanted, document: &Value) -> Result<(), TestCaseError> {
    prop_assert_eq!(&document["Version"], "2012-10-17");
    let mut sids = BTreeSet::new();
    for statement in statements(document) {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        prop_assert!(!sid.is_empty() && sid.bytes().all(|b| b.is_ascii_alphanumeric()), "{}", sid);
        prop_assert!(sids.insert(sid), "{} twice", sid);
        prop_assert_eq!(&statement["Effect"], "Allow");
        for action in texts(&statement["Action"]) {
            let rows = rows(action);
            prop_assert!(rows.iter().any(|row| row.features.iter().any(|f| wanted.features.contains(f))), "{}", action);
            prop_assert!(!action.contains('*'));
            for resource in texts(&statement["Resource"]) {
                let everything = rows.iter().any(|row| row.on == On::Everything);
                prop_assert_eq!(resource == "*", everything, "{} on {}", action, resource);
                prop_assert!(everything || resource.split(':').count() >= 6, "{} is no ARN", resource);
            }
        }
    }
    Ok(())
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let features = prop::collection::btree_set(prop::sample::select(Feature::ALL.to_vec()), 1..7);
    let arns =
        [ORDERS, LEDGER, "arn:aws:rds:eu-west-1:111111111111:db:own", "arn:aws:rds:us-east-1:222222222222:db:two"];
    let databases = prop::option::of(prop::collection::btree_set(prop::sample::select(arns.to_vec()), 1..4));
    let key = prop::option::of(prop::sample::select(vec!["alias/a", "alias/aws/secretsmanager", KEY, "0a1b"]));
    let place = prop::option::of(prop::sample::select(vec!["111111111111", "444444444444"]));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (features, databases, key, place, flags).prop_map(|(features, databases, key, place, (vault, hub, keys))| {
        let store = SecretsManagerSettings {
            account_id: place.and_then(|account| account.parse().ok()),
            kms_key_id: key.map(str::to_owned),
            ..SecretsManagerSettings::default()
        };
        Wanted {
            features,
            databases: databases.map(|arns| arns.into_iter().map(database).collect()),
            store: (!vault).then_some(store),
            hub: if hub { set(&[HUB_ROLE]) } else { BTreeSet::new() },
            keys: if keys { set(&[KEY]) } else { BTreeSet::new() },
            ..general()
        }
    })
}

proptest! {
    #[test]
    fn every_document_is_one_that_iam_takes(wanted in wanted()) {
        for (name, document) in documents(&wanted) {
            match name {
                "trust" => prop_assert_eq!(statements(&document).len(), 1),
                "template" => {
                    let properties = &document["Resources"]["Role"]["Properties"];
                    prop_assert!(properties["Policies"][0]["PolicyDocument"]["Statement"].is_array());
                }
                _ => check_document(&wanted, &document)?,
            }
        }
    }

    #[test]
    fn fewer_features_never_allow_more(wanted in wanted()) {
        let all = Wanted { features: Feature::ALL.into_iter().collect(), ..wanted.clone() };
        for (name, less) in documents(&wanted).into_iter().filter(|(name, _)| !["trust", "template"].contains(name)) {
            let more = document(&all, name).unwrap();
            prop_assert!(actions(&less).is_subset(&actions(&more)), "{}", less);
            prop_assert!(resources(&less).is_subset(&resources(&more)), "{}", less);
        }
    }

    #[test]
    fn databases_that_are_named_are_all_that_is_reached(wanted in wanted()) {
        let Some(databases) = &wanted.databases else { return Ok(()) };
        let mut accounts: BTreeSet<String> = databases.iter().map(|d| d.arn.account_id.to_string()).collect();
        accounts.extend(wanted.store.iter().filter_map(|store| store.account_id.as_ref().map(ToString::to_string)));
        let keys = wanted.keys.iter().map(ToString::to_string);
        let keys = keys.chain(wanted.store.iter().filter_map(|store| store.kms_key_id.clone()));
        accounts.extend(keys.filter(|key| key == KEY).map(|_| "222222222222".to_owned()));
        for (name, document) in documents(&wanted).into_iter().filter(|(name, _)| ["hub", "member", "agent"].contains(name)) {
            for resource in resources(&document) {
                let account = resource.split(':').nth(4).unwrap_or_default();
                let of_any = resource == "*" || resource.ends_with(":*:vpc/*");
                let fits = of_any || resource.contains(":organizations:") || accounts.contains(account);
                prop_assert!(fits, "{} names {}", name, resource);
            }
        }
    }
}
