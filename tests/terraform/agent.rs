//! The gateway's agent: it opens sessions with nothing but what a connection holds and an AWS identity of its own.

use serde_json::{Value, json};

use crate::gateway::FakeGateway;
use crate::rig::{AwsError, Rig};
use crate::sql::Login;

/// An agent that runs in one account and one region. Whatever a connection refers to, it asks there, by name.
pub(crate) struct Agent<'a> {
    rig: &'a Rig,
    account: String,
    region: String,
    user: String,
    /// The user that it runs as.
    pub(crate) arn: String,
    keys: Value,
}

impl<'a> Agent<'a> {
    /// A user without any policy, in an account (by its name) and a region.
    pub(crate) fn new(rig: &'a Rig, account: &str, region: &str) -> Self {
        let user = format!("agent-{region}");
        let iam = |operation: &str| {
            let params = json!({ "UserName": user });
            rig.aws(Some(account), region, "iam", operation, &params).expect("IAM of the account answers")
        };
        let arn = iam("create_user")["User"]["Arn"].as_str().expect("an ARN").to_owned();
        let key = iam("create_access_key")["AccessKey"].clone();
        let keys = json!({"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]});
        Self { rig, account: account.to_owned(), region: region.to_owned(), user, arn, keys }
    }

    /// Gives it this policy, and takes the one that it had.
    pub(crate) fn give(&self, document: &Value) {
        let params = json!({"UserName": self.user, "PolicyName": "agent", "PolicyDocument": document.to_string()});
        let given = self.rig.aws(Some(&self.account), &self.region, "iam", "put_user_policy", &params);
        given.expect("IAM takes the policy");
    }

    /// Its access key, by which the fake AWS knows it.
    pub(crate) fn access_key(&self) -> &str {
        self.keys["access_key"].as_str().expect("a text")
    }

    /// A call of its own.
    pub(crate) fn reads(&self, secret: &str) -> Result<Value, AwsError> {
        self.rig.ask_aws(&json!({"endpoint": self.rig.made.endpoint, "keys": self.keys, "region": self.region,
            "service": "secretsmanager", "operation": "get_secret_value", "params": {"SecretId": secret}}))
    }

    /// The text behind `_aws:<name>:<key>`.
    ///
    /// # Panics
    /// When it is anything else, which the agent would take for the password itself.
    pub(crate) fn resolves(&self, reference: &str) -> Result<String, AwsError> {
        let parts: Vec<&str> = reference.split(':').collect();
        let ["_aws", name, key] = parts[..] else { panic!("not a reference to Secrets Manager: {reference}") };
        let answer = self.reads(name)?;
        let value: Value = serde_json::from_str(answer["SecretString"].as_str().expect("a text")).expect("JSON");
        Ok(value[key].as_str().unwrap_or_else(|| panic!("no {key} in {name}")).to_owned())
    }

    /// The way into a database that a connection describes, with the password that its reference leads to.
    pub(crate) fn login(&self, gateway: &FakeGateway, connection: &str) -> Result<Login<'a>, AwsError> {
        let [host, port, user, home] = ["HOST", "PORT", "USER", "DB"].map(|key| gateway.env(connection, key));
        let mut databases = self.rig.made.databases.iter();
        let target = databases.find(|one| one.endpoint == host && one.port.to_string() == port);
        let password = self.resolves(&gateway.env(connection, "PASS"))?;
        Ok(Login::new(target.expect("the connection leads to a database"), &user, &password).database(&home))
    }
}
