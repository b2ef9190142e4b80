//! A provider process that the test itself hosts, over the protocol of go-plugin and without Terraform: an apply costs
//! a fraction of a second, so that hundreds of them can be killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rdsaccess::protocol::codec::{decode, encode, from_json, type_from_json};
use rdsaccess::value::{Type, Value};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tfplugin_proto::tfplugin6::provider_client::ProviderClient;
use tfplugin_proto::tfplugin6::schema::object::NestingMode;
use tfplugin_proto::tfplugin6::schema::{Attribute, Block};
use tfplugin_proto::tfplugin6::{self as pb, ClientCapabilities, Diagnostic, DynamicValue};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use super::watch::Watch;
use crate::rig::Rig;

/// What Terraform keeps of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) value: Value,
    private: Vec<u8>,
}

impl State {
    /// Nothing is there.
    pub(crate) fn none() -> Self {
        Self { value: Value::Null, private: Vec::new() }
    }

    pub(crate) fn text(&self, name: &str) -> String {
        match self.value.attribute(name) {
            Value::String(text) => text.clone(),
            other => panic!("{name} is {other:?}"),
        }
    }
}

/// How an apply ended.
#[derive(Debug)]
pub(crate) enum Applied {
    /// It answered: the state, and its errors
    Done(State, Vec<String>),
    /// It was killed when its answer was held
    Killed,
}

impl Applied {
    /// The state of an apply that went well.
    pub(crate) fn ok(self) -> State {
        match self {
            Self::Done(state, errors) if errors.is_empty() => state,
            other => panic!("the apply failed: {other:?}"),
        }
    }

    /// The errors of one that did not.
    pub(crate) fn errors(self) -> (State, String) {
        match self {
            Self::Done(state, errors) if !errors.is_empty() => (state, errors.join("\n")),
            other => panic!("the apply should have failed: {other:?}"),
        }
    }
}

/// What a plan says.
pub(crate) struct Plan {
    planned: Value,
    private: Vec<u8>,
    prior: Value,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.planned == self.prior
    }
}

/// A running provider, configured. It is killed when it is dropped.
pub(crate) struct Hosted {
    child: Child,
    runtime: Runtime,
    client: ProviderClient<Channel>,
    types: BTreeMap<String, (Type, Vec<Attribute>)>,
    _directory: TempDir,
}

impl Hosted {
    /// Starts a provider where the names of the rig resolve, and configures it.
    pub(crate) fn start(rig: &Rig, configuration: &Json) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = rig.command(env!("CARGO_BIN_EXE_terraform-provider-rdsaccess"));
        command.arg("--debug").env("TMPDIR", directory.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the provider runs");
        let path = socket(&mut child);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(connect(path));
        let mut hosted = Self { child, runtime, client, types: BTreeMap::new(), _directory: directory };
        hosted.configure(configuration);
        hosted
    }

    fn configure(&mut self, configuration: &Json) {
        let schema = self.runtime.block_on(self.client.get_provider_schema(pb::get_provider_schema::Request {}));
        let schema = schema.expect("it has a schema").into_inner();
        for (name, schema) in schema.resource_schemas {
            let block = schema.block.expect("a block");
            self.types.insert(name, (type_of_block(&block), block.attributes));
        }
        let kind = type_of_block(&schema.provider.expect("a provider").block.expect("a block"));
        let config = encode(&from_json(configuration.to_string().as_bytes(), &kind).unwrap(), &kind).unwrap();
        let request = pb::configure_provider::Request {
            terraform_version: "1.13.0".to_owned(),
            config: Some(config),
            client_capabilities: capabilities(),
        };
        let answer = self.runtime.block_on(self.client.configure_provider(request)).unwrap().into_inner();
        assert_eq!(errors(&answer.diagnostics), Vec::<String>::new());
    }

    /// Kills it as the kernel would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL is sent");
        self.child.wait().expect("it ends");
    }

    /// Brings a state up to date.
    pub(crate) fn refresh(&mut self, resource: &str, state: &State) -> State {
        let request = pb::read_resource::Request {
            type_name: resource.to_owned(),
            current_state: Some(self.encode(resource, &state.value)),
            private: state.private.clone(),
            client_capabilities: capabilities(),
            ..Default::default()
        };
        let answer = self.runtime.block_on(self.client.read_resource(request)).expect("it answers").into_inner();
        assert_eq!(errors(&answer.diagnostics), Vec::<String>::new());
        State { value: self.decode(resource, answer.new_state.as_ref()), private: answer.private }
    }

    /// Plans from a refreshed state; `Null` is an object that is to be made.
    pub(crate) fn plan(&mut self, resource: &str, prior: &State, configuration: &Json) -> Plan {
        let (kind, attributes) = self.types[resource].clone();
        let config = from_json(configuration.to_string().as_bytes(), &kind).unwrap();
        // As Terraform proposes it: what is computed and not configured stays as it was.
        let proposed = attributes.iter().map(|attribute| {
            let (configured, before) = (config.attribute(&attribute.name), prior.value.attribute(&attribute.name));
            let keeps = attribute.computed && configured.is_null() && !prior.value.is_null();
            (attribute.name.clone(), if keeps { before.clone() } else { configured.clone() })
        });
        let proposed = Value::Object(proposed.collect());
        let request = pb::plan_resource_change::Request {
            type_name: resource.to_owned(),
            prior_state: Some(self.encode(resource, &prior.value)),
            proposed_new_state: Some(self.encode(resource, &proposed)),
            config: Some(self.encode(resource, &config)),
            prior_private: prior.private.clone(),
            client_capabilities: capabilities(),
            ..Default::default()
        };
        let answer = self.runtime.block_on(self.client.plan_resource_change(request)).expect("it answers").into_inner();
        assert_eq!(errors(&answer.diagnostics), Vec::<String>::new());
        assert!(answer.requires_replace.is_empty() || prior.value.is_null(), "nothing is replaced");
        let planned = self.decode(resource, answer.planned_state.as_ref());
        Plan { planned, private: answer.planned_private, prior: prior.value.clone() }
    }

    /// Applies a plan; when the watch holds an answer, the process is killed.
    pub(crate) fn apply(&mut self, resource: &str, plan: &Plan, configuration: &Json, watch: &Watch) -> Applied {
        let kind = &self.types[resource].0;
        let config = from_json(configuration.to_string().as_bytes(), kind).unwrap();
        let request = pb::apply_resource_change::Request {
            type_name: resource.to_owned(),
            prior_state: Some(self.encode(resource, &plan.prior)),
            planned_state: Some(self.encode(resource, &plan.planned)),
            config: Some(self.encode(resource, &config)),
            planned_private: plan.private.clone(),
            ..Default::default()
        };
        let mut client = self.client.clone();
        let answer = self.runtime.block_on(async {
            let held = async {
                while !watch.is_held() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::select! {
                answer = client.apply_resource_change(request) => Some(answer.expect("it answers").into_inner()),
                () = held => None,
            }
        });
        let Some(answer) = answer else {
            self.kill();
            return Applied::Killed;
        };
        let value = self.decode(resource, answer.new_state.as_ref());
        Applied::Done(State { value, private: answer.private }, errors(&answer.diagnostics))
    }

    fn encode(&self, resource: &str, value: &Value) -> DynamicValue {
        encode(value, &self.types[resource].0).unwrap()
    }

    fn decode(&self, resource: &str, message: Option<&DynamicValue>) -> Value {
        decode(message, &self.types[resource].0).unwrap()
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the provider listens, from what it says about itself.
fn socket(child: &mut Child) -> String {
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for line in lines.map_while(Result::ok) {
        let Some(json) = line.trim().strip_prefix("TF_REATTACH_PROVIDERS='") else { continue };
        let providers: Json = serde_json::from_str(json.strip_suffix('\'').unwrap()).unwrap();
        return providers["rdsaccess/rdsaccess"]["Addr"]["String"].as_str().unwrap().to_owned();
    }
    panic!("the provider ended without saying where it listens");
}

async fn connect(path: String) -> ProviderClient<Channel> {
    let dial = tower::service_fn(move |_| {
        let dialling = UnixStream::connect(path.clone());
        async move { dialling.await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(dial).await.unwrap();
    ProviderClient::new(channel).max_decoding_message_size(64 << 20)
}

fn capabilities() -> Option<ClientCapabilities> {
    Some(ClientCapabilities { write_only_attributes_allowed: true, ..Default::default() })
}

fn errors(diagnostics: &[Diagnostic]) -> Vec<String> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == 1);
    errors.map(|diagnostic| format!("{}: {}", diagnostic.summary, diagnostic.detail)).collect()
}

fn type_of_block(block: &Block) -> Type {
    assert!(block.block_types.is_empty(), "groups are nested attributes");
    type_of(&block.attributes)
}

fn type_of(attributes: &[Attribute]) -> Type {
    Type::object(attributes.iter().map(|attribute| {
        let kind = match &attribute.nested_type {
            None => type_from_json(&attribute.r#type).unwrap(),
            Some(nested) => {
                let element = type_of(&nested.attributes);
                match nested.nesting() {
                    NestingMode::List => Type::list(element),
                    NestingMode::Set => Type::set(element),
                    NestingMode::Map => Type::map(element),
                    NestingMode::Single | NestingMode::Invalid => element,
                }
            }
        };
        (attribute.name.clone(), kind)
    }))
}

/// The provider block for a rig, with its AWS at an address.
pub(crate) fn provider_block(rig: &Rig, endpoint: &str) -> Json {
    json!({
        "region": rig.made.region,
        "member_role": { "name": rig.made.organization.member_role },
        "endpoints": {
            "rds": endpoint, "ec2": endpoint, "sts": endpoint, "organizations": endpoint, "secretsmanager": endpoint,
        },
        "tls": { "ca_bundle": std::fs::read_to_string(&rig.made.ca_file).unwrap() },
    })
}
