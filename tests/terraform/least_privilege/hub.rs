//! A hub identity and roles in the accounts that hold the documents under test, and nothing else.

use serde_json::{Value, json};

use crate::rig::{AwsError, Database, Rig};
use crate::workspace::Workspace;

/// The role in every account; not the one that Organizations makes, by which the tests prepare things.
pub(crate) const ROLE: &str = "rdsaccess-member";
pub(crate) const EXTERNAL_ID: &str = "least-privilege";
/// The names of the policies, as the decisions in the log of calls have them.
const HUB: &str = "hub";
const MEMBER: &str = "member";

/// The documents that the data source wrote.
#[derive(Debug, Clone)]
pub(crate) struct Documents {
    pub(crate) hub: Option<Value>,
    pub(crate) member: Option<Value>,
    pub(crate) trust: Value,
    pub(crate) agent: Option<Value>,
    /// The policy inside the template, before CloudFormation has filled it in
    template: Option<Value>,
}

/// An action of one statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) policy: String,
    pub(crate) sid: String,
    pub(crate) action: String,
}

/// A user in the management account that the provider runs as.
pub(crate) struct Hub<'a> {
    pub(crate) rig: &'a Rig,
    pub(crate) arn: String,
    access_key: String,
    secret_key: String,
    accounts: Vec<String>,
}

impl<'a> Hub<'a> {
    /// The user, and a role in each of these accounts that only the preparing caller may take yet.
    pub(crate) fn new(rig: &'a Rig, accounts: &[&str]) -> Self {
        let iam = |operation: &str, params: &Value| rig.aws(None, "us-east-1", "iam", operation, params).unwrap();
        let user = iam("create_user", &json!({"UserName": "terraform"}));
        let key = iam("create_access_key", &json!({"UserName": "terraform"}));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let hub = Self {
            rig,
            arn: text(&user["User"]["Arn"]),
            access_key: text(&key["AccessKey"]["AccessKeyId"]),
            secret_key: text(&key["AccessKey"]["SecretAccessKey"]),
            accounts: accounts.iter().map(|&name| name.to_owned()).collect(),
        };
        let root = format!("arn:aws:iam::{}:root", rig.made.organization.management_account);
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"});
        let trust = json!({"Version": "2012-10-17", "Statement": [statement]});
        for account in &hub.accounts {
            let params = json!({"RoleName": ROLE, "AssumeRolePolicyDocument": trust.to_string()});
            rig.aws(Some(account), "us-east-1", "iam", "create_role", &params).unwrap();
        }
        hub
    }

    /// The provider block: the hub's keys are in the environment, see [`Self::workspace`].
    pub(crate) fn provider(&self, more: &str) -> String {
        let endpoint = &self.rig.made.endpoint;
        let services = ["rds", "ec2", "sts", "organizations", "secretsmanager"];
        let endpoints: String = services.iter().map(|name| format!("    {name} = \"{endpoint}\"\n")).collect();
        format!(
            "terraform {{\n  required_providers {{\n    rdsaccess = {{ source = \"rdsaccess/rdsaccess\" }}\n  }}\n}}\n\
             provider \"rdsaccess\" {{\n  region = \"{}\"\n  member_role = {{\n    name = \"{ROLE}\"\n    external_id = \
             \"{EXTERNAL_ID}\"\n  }}\n  endpoints = {{\n{endpoints}  }}\n  tls = {{ ca_bundle = file(\"{}\") }}\n  \
             {more}\n}}\n",
            self.rig.made.region,
            self.rig.made.ca_file.display(),
        )
    }

    /// A directory whose provider runs as the hub.
    pub(crate) fn workspace(&self) -> Workspace<'a> {
        let mut workspace = Workspace::new(self.rig);
        workspace.set("AWS_ACCESS_KEY_ID", &self.access_key);
        workspace.set("AWS_SECRET_ACCESS_KEY", &self.secret_key);
        workspace
    }

    /// The documents for these features, read by the preparing caller.
    pub(crate) fn read(&self, features: &[&str], targets: &[&Database], arguments: &str, provider: &str) -> Documents {
        let arns: Vec<&str> = targets.iter().map(|database| database.arn.as_str()).collect();
        let targets = if arns.is_empty() { String::new() } else { format!("  target_arns = {}\n", json!(arns)) };
        let text = format!(
            "{}\ndata \"rdsaccess_policy\" \"it\" {{\n{targets}  features = {}\n  hub_principal_arns = [\"{}\"]\n  \
             {arguments}\n}}\n",
            self.provider(provider),
            json!(features),
            self.arn
        );
        let workspace = Workspace::new(self.rig);
        workspace.write("main.tf", &text);
        workspace.apply().ok();
        let values = workspace.resource("data.rdsaccess_policy.it").expect("it is in the state");
        let document = |name: &str| values[name].as_str().map(|text| serde_json::from_str::<Value>(text).unwrap());
        let template = document("cloudformation_template");
        let policies = template.map(|template| template["Resources"]["Role"]["Properties"]["Policies"].clone());
        Documents {
            template: policies.map(|policies| policies[0]["PolicyDocument"].clone()),
            hub: document("hub_policy_json"),
            member: document("member_policy_json"),
            trust: document("trust_policy_json").expect("a principal is known"),
            agent: document("agent_policy_json"),
        }
    }

    /// Gives the hub and the roles exactly these documents.
    pub(crate) fn put(&self, documents: &Documents) {
        self.put_policy(None, "user", "terraform", HUB, documents.hub.as_ref());
        for account in &self.accounts {
            let trust = json!({"RoleName": ROLE, "PolicyDocument": documents.trust.to_string()});
            self.rig.aws(Some(account), "us-east-1", "iam", "update_assume_role_policy", &trust).unwrap();
            let member = documents.member.as_ref().map(|document| filled_in(document, self.rig.account_id(account)));
            self.put_policy(Some(account), "role", ROLE, MEMBER, member.as_ref());
        }
    }

    /// Without statements there is nothing that IAM would store.
    fn put_policy(&self, account: Option<&str>, kind: &str, who: &str, name: &str, document: Option<&Value>) {
        let holder = if kind == "user" { "UserName" } else { "RoleName" };
        let iam = |operation: String, params: &Value| self.rig.aws(account, "us-east-1", "iam", &operation, params);
        match document.filter(|document| document["Statement"] != json!([])) {
            Some(document) => {
                let params = json!({holder: who, "PolicyName": name, "PolicyDocument": document.to_string()});
                iam(format!("put_{kind}_policy"), &params).unwrap();
            }
            // It may have had none before.
            None => drop(iam(format!("delete_{kind}_policy"), &json!({holder: who, "PolicyName": name}))),
        }
    }

    /// From now on the fake AWS decides by the documents.
    pub(crate) fn enforce(&self) {
        self.rig.control("PUT", "settings", &json!({"enforce": true}));
        self.rig.control("DELETE", "log", &Value::Null);
    }

    /// A call by the hub itself (`account` none) or in the role of an account.
    pub(crate) fn call(
        &self,
        account: Option<&str>,
        region: &str,
        service: &str,
        operation: &str,
        params: &Value,
    ) -> Result<Value, AwsError> {
        self.rig.ask_aws(&json!({
            "endpoint": self.rig.made.endpoint,
            "keys": self.keys(),
            "account_id": account.map(|name| self.rig.account_id(name)),
            "external_id": EXTERNAL_ID, "role": ROLE,
            "region": region, "service": service, "operation": operation, "params": params,
        }))
    }

    /// The keys of the hub, as `fakes/aws/call.py` takes them.
    pub(crate) fn keys(&self) -> Value {
        json!({"access_key": self.access_key, "secret_key": self.secret_key})
    }

    /// Every action of every statement with the requests since the log was emptied that it alone allowed.
    pub(crate) fn needed(&self) -> Vec<(Entry, Vec<Value>)> {
        let answer = self.rig.control("GET", "iam/needed", &Value::Null);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let entry =
            |one: &Value| Entry { policy: text(&one["policy"]), sid: text(&one["sid"]), action: text(&one["action"]) };
        let all = answer.as_array().unwrap();
        all.iter().map(|one| (entry(one), one["requests"].as_array().unwrap().clone())).collect()
    }
}

impl Documents {
    /// The same, with the template's policy for the roles in the accounts.
    pub(crate) fn of_template(&self) -> Self {
        Self { member: self.template.clone(), ..self.clone() }
    }

    /// The role's permissions for the hub itself, which is alone in its account.
    pub(crate) fn alone(&self) -> Self {
        Self { hub: self.member.clone(), ..self.clone() }
    }

    /// Every action of every statement.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let both = [(HUB, &self.hub), (MEMBER, &self.member)];
        let of = |(policy, document): &(&str, &Option<Value>)| {
            let statements = document.iter().flat_map(|document| document["Statement"].as_array().unwrap().clone());
            let policy = (*policy).to_owned();
            statements
                .flat_map(move |statement| {
                    let sid = statement["Sid"].as_str().unwrap().to_owned();
                    let policy = policy.clone();
                    let entry = move |action| Entry { policy: policy.clone(), sid: sid.clone(), action };
                    texts(&statement["Action"]).into_iter().map(entry).collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        };
        both.iter().flat_map(of).collect()
    }

    /// The documents with one action less in one statement; a statement without actions goes.
    pub(crate) fn without(&self, entry: &Entry) -> Self {
        let mut less = self.clone();
        let document = if entry.policy == HUB { &mut less.hub } else { &mut less.member };
        let document = document.as_mut().expect("the entry comes from this document");
        let statements = document["Statement"].as_array_mut().unwrap();
        for statement in statements.iter_mut().filter(|statement| statement["Sid"] == entry.sid.as_str()) {
            let kept: Vec<String> =
                texts(&statement["Action"]).into_iter().filter(|one| *one != entry.action).collect();
            statement["Action"] = json!(kept);
        }
        statements.retain(|statement| statement["Action"] != json!([]));
        assert_ne!(less.entries(), self.entries(), "{entry:?} is in the documents");
        less
    }
}

/// What CloudFormation makes of a document in an account.
fn filled_in(document: &Value, account_id: &str) -> Value {
    match document {
        Value::Object(entries) => match entries.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) => {
                let text = text.replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", account_id);
                text.replace("${!", "${").into()
            }
            None => entries.iter().map(|(key, value)| (key.clone(), filled_in(value, account_id))).collect(),
        },
        Value::Array(values) => values.iter().map(|value| filled_in(value, account_id)).collect(),
        other => other.clone(),
    }
}

/// One text or a list of them.
fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    list.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}
