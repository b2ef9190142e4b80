//! What the tests ask of a store, beside the provider: one implementation for each.

use serde_json::{Value as Json, json};

use super::watch::{Log, Watch};
use crate::rig::{Database, Rig, http};
use crate::wish::Wish;

/// A version that a reader can find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Readers get this one
    pub(crate) current: bool,
    /// It waits for its proof
    pub(crate) pending: bool,
    /// It was current before
    pub(crate) previous: bool,
    pub(crate) username: String,
    pub(crate) password: String,
}

/// A store as the tests see it.
pub(crate) trait StoreUnderTest {
    /// The name in the table
    fn name(&self) -> &'static str;
    /// Wishes for its server, where it has one of its own
    fn wish(&self, wish: Wish) -> Wish {
        wish
    }
    /// Puts the watch before its server, where it has one of its own; what the provider block says of it, beside what
    /// every block says
    fn watched(&self, _rig: &Rig, _watch: &Watch) -> Json {
        json!({})
    }
    /// How many versions it keeps by itself
    fn keeps(&self) -> usize;
    /// Whether readers of the current value never get one that waits, not even the very first
    fn hides_what_waits(&self) -> bool;
    /// Every version of a user's secret that a reader can find
    fn versions(&self, rig: &Rig, database: &Database, user: &str) -> Vec<Kept>;
    /// What is wrong beside the versions, once everything is done
    fn left_over(&self, _rig: &Rig, _database: &Database, _user: &str) -> Option<String> {
        None
    }
    /// Takes a user's secret away without a trace
    fn purge(&self, rig: &Rig, database: &Database, user: &str);
    /// Puts a pending version there as another program would; returns its name
    fn disturb(&self, rig: &Rig, database: &Database, user: &str, password: &str) -> String;
    /// Makes a version older by seconds
    fn age(&self, rig: &Rig, database: &Database, user: &str, version: &str, seconds: u32);
}

/// AWS Secrets Manager.
pub(crate) struct SecretsManager;

impl SecretsManager {
    fn secret(database: &Database, user: &str) -> String {
        let Database { account_id, region, identifier, .. } = database;
        format!("rdsaccess/{account_id}/{region}/db/{identifier}/{user}")
    }

    fn call(rig: &Rig, database: &Database, operation: &str, params: &Json) -> Option<Json> {
        match rig.aws_of(database, "secretsmanager", operation, params) {
            Ok(answer) => Some(answer),
            Err(error) if error.code == "ResourceNotFoundException" => None,
            Err(error) => panic!("{operation}: {error:?}"),
        }
    }
}

impl StoreUnderTest for SecretsManager {
    fn name(&self) -> &'static str {
        "Secrets Manager"
    }

    fn keeps(&self) -> usize {
        2
    }

    fn hides_what_waits(&self) -> bool {
        // AWS makes the first version current, whatever is asked.
        false
    }

    fn versions(&self, rig: &Rig, database: &Database, user: &str) -> Vec<Kept> {
        let secret = Self::secret(database, user);
        let found = Self::call(rig, database, "describe_secret", &json!({ "SecretId": secret }));
        let stages = found.map_or(Json::Null, |found| found["VersionIdsToStages"].clone());
        let kept = stages.as_object().into_iter().flatten().map(|(id, stages)| {
            let params = json!({ "SecretId": secret, "VersionId": id });
            let value = Self::call(rig, database, "get_secret_value", &params).expect("a version has a value");
            let value: Json = serde_json::from_str(value["SecretString"].as_str().expect("a text")).expect("JSON");
            let text = |key: &str| value[key].as_str().expect("a text").to_owned();
            let has = |stage: &str| stages.as_array().is_some_and(|all| all.iter().any(|known| known == stage));
            Kept {
                current: has("AWSCURRENT"),
                pending: has("AWSPENDING"),
                previous: has("AWSPREVIOUS"),
                username: text("username"),
                password: text("password"),
            }
        });
        kept.collect()
    }

    fn purge(&self, rig: &Rig, database: &Database, user: &str) {
        let params = json!({ "SecretId": Self::secret(database, user), "ForceDeleteWithoutRecovery": true });
        let _gone = Self::call(rig, database, "delete_secret", &params);
    }

    fn disturb(&self, rig: &Rig, database: &Database, user: &str, password: &str) -> String {
        let value = json!({ "username": user, "password": password }).to_string();
        let params = json!({
            "SecretId": Self::secret(database, user), "SecretString": value, "VersionStages": ["AWSPENDING"],
        });
        let put = Self::call(rig, database, "put_secret_value", &params).expect("the secret is there");
        put["VersionId"].as_str().expect("an id").to_owned()
    }

    fn age(&self, rig: &Rig, database: &Database, user: &str, version: &str, seconds: u32) {
        let Database { account_id, region, .. } = database;
        let order = json!({
            "account": account_id, "region": region, "secret": Self::secret(database, user), "version": version,
            "seconds": seconds,
        });
        rig.control("POST", "versions", &order);
    }
}

/// The request log of the fake AWS, of its stores and of RDS.
pub(crate) struct Requests {
    address: String,
    read: u64,
}

impl Requests {
    /// Of the fake AWS at this address.
    pub(crate) fn of(address: &str) -> Self {
        Self { address: address.to_owned(), read: 0 }
    }
}

/// Actions that change nothing.
const READS: [&str; 5] = ["Get", "List", "Describe", "Assume", "BatchGet"];

impl Log for Requests {
    fn news(&mut self) -> Vec<String> {
        let (status, answer) = http(&self.address, "GET", "/rig/log", "", "").expect("the fake AWS answers");
        assert_eq!(status, 200, "{answer}");
        let entries: Vec<Json> = serde_json::from_str(&answer).expect("JSON");
        let new = entries.into_iter().filter(|entry| {
            let is_done = entry["status"] == 200 && entry["number"].as_u64() > Some(self.read);
            is_done && !READS.iter().any(|read| entry["action"].as_str().is_some_and(|action| action.starts_with(read)))
        });
        let new: Vec<Json> = new.collect();
        self.read = new.iter().filter_map(|entry| entry["number"].as_u64()).fold(self.read, u64::max);
        new.iter().map(effect).collect()
    }

    fn forget(&mut self) {
        http(&self.address, "DELETE", "/rig/log", "", "").expect("the fake AWS answers");
    }
}

/// A call in words without names.
fn effect(entry: &Json) -> String {
    let action = entry["action"].as_str().unwrap_or_default();
    let params = &entry["params"];
    match params["VersionStage"].as_str() {
        Some(stage) if params.get("MoveToVersionId").is_some() => format!("{action} (moves {stage})"),
        Some(stage) => format!("{action} (removes {stage})"),
        None => action.to_owned(),
    }
}
