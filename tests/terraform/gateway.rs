//! The stand-in of the gateway: started for one test, steered through its routes below `/rig/`.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::rig::{fakes, http};
use crate::workspace::Workspace;

pub(crate) const ADMIN: &str = "hpk_admin_of_the_fake";
pub(crate) const READER: &str = "hpk_reader_of_the_fake";

/// A running gateway with the connected agent `lab` and the agent `spare`; it ends with this value.
pub(crate) struct FakeGateway {
    pub(crate) url: String,
    child: Child,
    _stdin: Option<ChildStdin>,
}

impl FakeGateway {
    pub(crate) fn start() -> Self {
        let mut child = Command::new("python3")
            .arg("-B")
            .arg(fakes().join("gateway/server.py"))
            .args(["--until-stdin-closes", "--agent", "lab:CONNECTED", "--agent", "spare"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 (3.11 or later) runs the stand-in of the gateway");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("it says where it listens");
        let started: Value = serde_json::from_str(&line).expect("a line of JSON");
        let url = started["url"].as_str().expect("an address").to_owned();
        Self { url, _stdin: child.stdin.take(), child }
    }

    /// A directory whose provider finds this gateway by the environment.
    pub(crate) fn workspace(&self, configuration: &str) -> Workspace<'static> {
        let mut workspace = Workspace::offline();
        workspace.set("HOOP_APIURL", &self.url);
        workspace.set("HOOP_APIKEY", ADMIN);
        workspace.write("main.tf", configuration);
        workspace.init().ok();
        workspace
    }

    /// The id of an agent.
    pub(crate) fn agent_id(&self, name: &str) -> String {
        let agents = self.api("GET", "agents", &Value::Null);
        let found = agents.as_array().and_then(|all| all.iter().find(|agent| agent["name"] == name).cloned());
        found.expect("the agent exists")["id"].as_str().expect("an id").to_owned()
    }

    /// A connection as it is stored; null where there is none.
    pub(crate) fn stored(&self, name: &str) -> Value {
        let all = self.steer("GET", "connections", &Value::Null);
        all.as_array().and_then(|all| all.iter().find(|c| c["name"] == name).cloned()).unwrap_or(Value::Null)
    }

    /// A variable of a stored connection, decoded; empty where there is none.
    pub(crate) fn env(&self, connection: &str, key: &str) -> String {
        let stored = self.stored(connection);
        let encoded = stored["secret"][format!("envvar:{key}")].as_str().unwrap_or_default();
        String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("a text")
    }

    /// Somebody makes a connection by hand.
    pub(crate) fn make(&self, name: &str, further: &Value) {
        let mut body = json!({
            "name": name, "type": "database", "subtype": "postgres", "agent_id": self.agent_id("lab"),
            "access_mode_runbooks": "enabled", "access_mode_exec": "enabled", "access_mode_connect": "enabled",
            "access_schema": "enabled",
        });
        let body_fields = body.as_object_mut().expect("an object");
        body_fields.extend(further.as_object().expect("an object").clone());
        self.api("POST", "connections", &body);
    }

    /// Somebody changes stored fields by hand.
    pub(crate) fn change(&self, name: &str, fields: &Value) {
        self.steer("PATCH", &format!("connections/{name}"), fields);
    }

    /// Somebody deletes a connection by hand.
    pub(crate) fn remove(&self, name: &str) {
        self.api("DELETE", &format!("connections/{name}"), &Value::Null);
    }

    /// Somebody deletes an agent.
    pub(crate) fn remove_agent(&self, name: &str) {
        self.api("DELETE", &format!("agents/{name}"), &Value::Null);
    }

    /// The resource rows, by name.
    pub(crate) fn resources(&self) -> Vec<String> {
        let all = self.steer("GET", "resources", &Value::Null);
        all.as_array().into_iter().flatten().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
    }

    /// Somebody gives a resource variables of its own, and makes it if there is none.
    pub(crate) fn fill_resource(&self, name: &str, envs: &Value) {
        self.steer("PUT", &format!("resources/{name}"), &json!({ "envs": envs }));
    }

    /// Makes a guardrail rule known.
    pub(crate) fn guardrail(&self, id: &str) {
        self.steer("POST", "guardrails", &json!({ "id": id }));
    }

    /// Makes a token known; `next` replaces it with the first answer.
    pub(crate) fn token(&self, token: &str, next: &str) {
        self.steer("POST", "tokens", &json!({"token": token, "groups": ["admin"], "next": next}));
    }

    pub(crate) fn fault(&self, fault: &Value) {
        self.steer("POST", "faults", fault);
    }

    pub(crate) fn mend(&self) {
        self.steer("DELETE", "faults", &Value::Null);
    }

    pub(crate) fn toggle(&self, name: &str, on: bool) {
        self.steer("PUT", "toggles", &json!({ name: on }));
    }

    pub(crate) fn forget_log(&self) {
        self.steer("DELETE", "log", &Value::Null);
    }

    /// The calls that change something, as `METHOD path status`.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| !call.starts_with("GET ")).collect()
    }

    /// Every call, as `METHOD path status`.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = |call: &Value, field: &str| call[field].as_str().unwrap_or_default().to_owned();
        let log = self.steer("GET", "log", &Value::Null);
        let line = |c: &Value| format!("{} {} {}", text(c, "method"), text(c, "path"), c["status"]);
        log.as_array().into_iter().flatten().map(line).collect()
    }

    /// Every request with its body, as text.
    pub(crate) fn requests(&self) -> String {
        self.steer("GET", "log", &Value::Null).to_string()
    }

    /// The groups of a connection.
    pub(crate) fn groups(&self, name: &str) -> Value {
        let id = self.stored(name)["id"].as_str().unwrap_or_default().to_owned();
        self.api("GET", &format!("plugins/access_control/conn/{id}"), &Value::Null)["config"].clone()
    }

    /// Somebody sets the groups of a connection by hand.
    pub(crate) fn set_groups(&self, name: &str, groups: &[&str]) {
        let id = self.stored(name)["id"].as_str().unwrap_or_default().to_owned();
        self.api("PUT", &format!("plugins/access_control/conn/{id}"), &json!({ "config": groups }));
    }

    fn steer(&self, method: &str, route: &str, body: &Value) -> Value {
        self.send(method, &format!("/rig/{route}"), body).expect("the rig takes it")
    }

    /// The API, as an admin. A refusal is null.
    fn api(&self, method: &str, route: &str, body: &Value) -> Value {
        self.send(method, &format!("/api/{route}"), body).unwrap_or_default()
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let address = self.url.trim_start_matches("http://");
        let headers = format!("Authorization: Bearer {ADMIN}\r\n");
        let (status, answer) = http(address, method, path, &headers, &body).expect("the gateway answers");
        (200..300).contains(&status).then(|| serde_json::from_str(&answer).unwrap_or_default())
    }
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
