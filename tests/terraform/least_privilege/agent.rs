//! The gateway's agent with its document.

use serde_json::{Value, json};

use super::hub::Hub;
use super::scenarios::{key, keyed_secret, ledger};
use crate::agent::Agent;
use crate::rig::{Database, Rig};
use crate::wish::Wish;

/// Why a token of the agent's own opens nothing; null where it opens the database.
fn logs_in(agent: &Agent<'_>, database: &Database, rig: &Rig, user: &str) -> Value {
    let Database { account_id, region, identifier, .. } = database;
    let ask = format!(
        "iam/connect?account={account_id}&region={region}&kind=instance&identifier={identifier}&user={user}&access_key={}",
        agent.access_key()
    );
    rig.control("GET", &ask, &Value::Null)["refusal"].clone()
}

/// A user in the management account cannot read secrets of another account without a policy of theirs: the agent runs
/// in the account of the database.
#[test]
fn the_agent_reads_and_logs_in_as_its_roles_and_no_further() {
    let rig =
        Rig::start(&Wish::organization().with(ledger().unreachable()).with(super::scenarios::cluster().unreachable()));
    let (database, key) = (rig.database(0), key(&rig));
    let agent = Agent::new(&rig, &database.account, &database.region);
    let own = keyed_secret(&rig, database, &key);
    let master = crate::fixture::default_master_secret(&rig, database);
    let foreign = crate::fixture::master_secret(&rig, database);
    let hub = Hub::new(&rig, &["payments-prod"]);
    let arguments = format!("agent_principal_arns = [\"{}\"]", agent.arn);
    let features = ["role_password", "role_iam", "secret_read"];
    let documents = hub.read(&features, &[database], &arguments, &super::scenarios::full_store(&key));
    let document = documents.agent.expect("the agent needs something");
    agent.give(&document);
    hub.enforce();

    agent.reads(&own).unwrap();
    for secret in [&master, &foreign] {
        let error = agent.reads(secret).unwrap_err();
        assert_eq!(error.code, "AccessDeniedException", "{}", error.message);
        assert!(error.message.contains("secretsmanager:GetSecretValue"), "{}", error.message);
    }
    assert_eq!(logs_in(&agent, database, &rig, "hoop_ro"), Value::Null);
    for user in ["admin1", "rdsadmin", "hoop_ro2"] {
        assert!(
            logs_in(&agent, database, &rig, user).as_str().is_some_and(|text| text.contains("rds-db:connect")),
            "{user}"
        );
    }

    for one in rig.control("GET", "iam/needed", &Value::Null).as_array().unwrap() {
        assert_ne!(one["requests"], json!([]), "{one}");
    }
    for statement in document["Statement"].as_array().unwrap() {
        let mut less = document.clone();
        less["Statement"].as_array_mut().unwrap().retain(|one| one != statement);
        agent.give(&less);
        let broken = agent.reads(&own).is_err() || logs_in(&agent, database, &rig, "hoop_ro") != Value::Null;
        assert!(broken, "everything works without {statement}");
    }
}
