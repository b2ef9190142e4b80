//! The service with a small provider of its own, called as Terraform calls it.

use std::collections::BTreeMap;

use pb::provider_server::Provider as _;

use super::*;
use crate::model;
use crate::schema::{Apply, Change, DataSource, Ephemeral, Opening, Private, Query, Reading, Resource};

model! {
    /// A thing.
    struct Thing {
        /// Its name.
        name: String = required().replace(),
        /// Its size.
        size: i64 = optional().computed().defaults_to(40),
        /// A secret.
        password_wo: String = optional().write_only(),
        /// A result.
        id: String = computed(),
    }
}

model! {
    /// What names a thing.
    struct ThingIdentity {
        /// Its name.
        name: String = required(),
    }
}

model! {
    /// The provider block.
    struct Block {
        /// Anything.
        word: String = optional(),
    }
}

struct Things;

impl Resource for Things {
    type Context = ();
    type Model = Thing;
    type Identity = ThingIdentity;
    const NAME: &'static str = "test_thing";
    const SUBCATEGORY: &'static str = "Test";
    const IMPORT_ID: &'static str = "<name>";

    fn identity(state: &Thing) -> ThingIdentity {
        ThingIdentity { name: state.name.clone() }
    }

    async fn plan(&self, _: &(), change: &mut Change<Thing>) -> Result<(), Reports> {
        if change.config.name.get().is_some_and(|n| n == "panic in plan") {
            panic!("no plan");
        }
        if change.config.name.get().is_some_and(|n| n == "endless plan") {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn read(&self, _: &(), reading: &mut Reading<Thing>) -> Result<bool, Reports> {
        reading.private.set("observed", "yes");
        reading.state.id = "read".to_owned().into();
        Ok(reading.state.name.get().is_none_or(|n| n != "gone"))
    }

    async fn create(&self, _: &(), apply: &mut Apply<Thing>) -> Result<(), Reports> {
        let name = apply.config.name.get().cloned().unwrap_or_default();
        if name == "refused" {
            return Err(Report::error("Refused", "Before anything was made.").into());
        }
        apply.saved = true;
        apply.state.id = format!("id-{}", apply.config.password_wo.get().map_or(0, String::len)).into();
        match name.as_str() {
            "half" => Err(Report::error("Half", "After it was made.").into()),
            "panic" => panic!("in create"),
            "slow" => {
                apply.stop.cancelled().await;
                Err(Report::error("Stopped", "The user asked to stop.").into())
            }
            _ => Ok(()),
        }
    }

    async fn update(&self, _: &(), apply: &mut Apply<Thing>) -> Result<(), Reports> {
        if apply.planned.size.get() == Some(&13) {
            return Err(Report::error("Unlucky", "Nothing was changed.").into());
        }
        Ok(())
    }

    async fn delete(&self, _: &(), apply: &mut Apply<Thing>) -> Result<(), Reports> {
        match apply.state.name.get().map(String::as_str) {
            Some("stays") => Err(Report::error("Stays", "It cannot be deleted.").into()),
            _ => Ok(()),
        }
    }

    fn import_id(id: &str) -> Result<Thing, Reports> {
        Ok(Thing { name: id.to_owned().into(), ..Thing::default() })
    }

    fn import_identity(identity: &ThingIdentity) -> Result<Thing, Reports> {
        Ok(Thing { name: identity.name.clone(), ..Thing::default() })
    }
}

/// An ephemeral resource and a data source whose calls never end.
struct Endless;

impl Ephemeral for Endless {
    type Context = ();
    type Model = Block;
    const NAME: &'static str = "test_endless";
    const SUBCATEGORY: &'static str = "Test";

    async fn open(&self, _: &(), _: &mut Opening<Block>) -> Result<(), Reports> {
        std::future::pending().await
    }

    async fn renew(&self, _: &(), _: &mut Private) -> Result<Option<std::time::SystemTime>, Reports> {
        std::future::pending().await
    }
}

impl DataSource for Endless {
    type Context = ();
    type Model = Block;
    const NAME: &'static str = "test_endless";
    const SUBCATEGORY: &'static str = "Test";

    async fn read(&self, _: &(), _: &mut Query<Block>) -> Result<(), Reports> {
        std::future::pending().await
    }
}

struct TestProvider;

impl Provider for TestProvider {
    type Context = ();
    type Model = Block;

    fn resources(&self) -> Vec<Box<dyn AnyResource<()>>> {
        vec![Box::new(Things)]
    }

    fn data_sources(&self) -> Vec<Box<dyn AnyDataSource<()>>> {
        vec![Box::new(Endless)]
    }

    fn ephemerals(&self) -> Vec<Box<dyn AnyEphemeral<()>>> {
        vec![Box::new(Endless)]
    }

    fn functions(&self) -> Vec<Function> {
        vec![]
    }

    fn validate(&self, _: &Block) -> Vec<Report> {
        vec![]
    }

    fn configure(&self, _: &Block, _: &str) -> Result<((), Vec<Report>), Reports> {
        Ok(((), vec![]))
    }
}

async fn service() -> Service<TestProvider> {
    let service = Service::new(TestProvider);
    let request = pb::configure_provider::Request::default();
    assert!(service.configure_provider(Request::new(request)).await.unwrap().into_inner().diagnostics.is_empty());
    service
}

fn thing(fields: &[(&str, Value)]) -> Value {
    let mut object = Thing::default().fields();
    object.extend(fields.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
    Value::Object(object)
}

fn message(value: &Value) -> Option<pb::DynamicValue> {
    Some(codec::encode(value, &object_type(&Thing::attributes())).unwrap())
}

fn value(message: Option<&pb::DynamicValue>) -> Value {
    codec::decode(message, &object_type(&Thing::attributes())).unwrap()
}

async fn plan(prior: &Value, config: &Value) -> pb::plan_resource_change::Response {
    let proposed = match prior {
        Value::Null => config.clone(),
        _ => {
            let mut merged = config.as_object().cloned().unwrap_or_default();
            for name in ["id", "size"] {
                if merged.get(name).is_none_or(Value::is_null) {
                    merged.insert(name.to_owned(), prior.attribute(name).clone());
                }
            }
            Value::Object(merged)
        }
    };
    let request = pb::plan_resource_change::Request {
        type_name: "test_thing".to_owned(),
        prior_state: message(prior),
        proposed_new_state: message(&proposed),
        config: message(config),
        ..Default::default()
    };
    service().await.plan_resource_change(Request::new(request)).await.unwrap().into_inner()
}

async fn apply_with(
    service: &Service<TestProvider>,
    prior: &Value,
    planned: &Value,
    config: &Value,
) -> pb::apply_resource_change::Response {
    let request = pb::apply_resource_change::Request {
        type_name: "test_thing".to_owned(),
        prior_state: message(prior),
        planned_state: message(planned),
        config: message(config),
        ..Default::default()
    };
    service.apply_resource_change(Request::new(request)).await.unwrap().into_inner()
}

async fn create(name: &str) -> pb::apply_resource_change::Response {
    let config = thing(&[("name", name.into()), ("password_wo", "secret".into())]);
    let planned = value(plan(&Value::Null, &config).await.planned_state.as_ref());
    apply_with(&service().await, &Value::Null, &planned, &config).await
}

#[tokio::test]
async fn a_created_object_has_its_results_and_no_secret() {
    let reply = create("a").await;
    assert!(reply.diagnostics.is_empty(), "{:?}", reply.diagnostics);
    let state = value(reply.new_state.as_ref());
    assert_eq!(state, thing(&[("name", "a".into()), ("size", 40.into()), ("id", "id-6".into())]));
}

#[tokio::test]
async fn an_object_that_was_made_before_the_error_stays_in_state() {
    let reply = create("half").await;
    assert_eq!(reply.diagnostics.len(), 1);
    assert_eq!(value(reply.new_state.as_ref()).attribute("id"), &"id-6".into());
    assert!(reply.new_identity.is_some());
}

#[tokio::test]
async fn an_object_that_was_not_made_leaves_nothing_in_state() {
    let reply = create("refused").await;
    assert_eq!(reply.diagnostics.len(), 1);
    assert!(value(reply.new_state.as_ref()).is_null());
}

#[tokio::test]
async fn a_panic_is_a_diagnostic() {
    let reply = create("panic").await;
    assert!(reply.diagnostics[0].detail.contains("panicked"));
    let reply = plan(&Value::Null, &thing(&[("name", "panic in plan".into())])).await;
    assert!(reply.diagnostics[0].detail.contains("panicked"));
}

#[tokio::test]
async fn a_failed_update_keeps_the_prior_state() {
    let prior = thing(&[("name", "a".into()), ("size", 40.into()), ("id", "i".into())]);
    let planned = thing(&[("name", "a".into()), ("size", 13.into()), ("id", "i".into())]);
    let reply = apply_with(&service().await, &prior, &planned, &planned).await;
    assert_eq!(value(reply.new_state.as_ref()), prior);
    assert_eq!(reply.diagnostics.len(), 1);
}

#[tokio::test]
async fn a_failed_delete_keeps_the_object() {
    let prior = thing(&[("name", "stays".into()), ("id", "i".into())]);
    let reply = apply_with(&service().await, &prior, &Value::Null, &Value::Null).await;
    assert_eq!(value(reply.new_state.as_ref()), prior);
    let prior = thing(&[("name", "goes".into()), ("id", "i".into())]);
    let reply = apply_with(&service().await, &prior, &Value::Null, &Value::Null).await;
    assert!(value(reply.new_state.as_ref()).is_null());
}

#[tokio::test]
async fn stop_ends_waiting_calls_with_what_is_there() {
    let service = service().await;
    let config = thing(&[("name", "slow".into())]);
    let planned = thing(&[("name", "slow".into()), ("size", 40.into()), ("id", Value::unknown())]);
    let (reply, _) = tokio::join!(apply_with(&service, &Value::Null, &planned, &config), async {
        tokio::task::yield_now().await;
        service.stop_provider(Request::new(pb::stop_provider::Request {})).await.unwrap()
    });
    assert_eq!(value(reply.new_state.as_ref()).attribute("id"), &"id-0".into());
    assert!(reply.diagnostics[0].summary.contains("Stopped"));
}

#[tokio::test]
async fn plans_reads_and_ephemeral_calls_end_when_the_user_asks_to_stop() {
    let service = service().await;
    let block = codec::encode(&Value::Object(Block::default().fields()), &object_type(&Block::attributes())).unwrap();
    let (config, type_name) = (Some(block), "test_endless".to_owned());
    let thing = message(&thing(&[("name", "endless plan".into())]));
    let plan = service.plan_resource_change(Request::new(pb::plan_resource_change::Request {
        type_name: "test_thing".to_owned(),
        prior_state: message(&Value::Null),
        proposed_new_state: thing.clone(),
        config: thing,
        ..Default::default()
    }));
    let read = service.read_data_source(Request::new(pb::read_data_source::Request {
        type_name: type_name.clone(),
        config: config.clone(),
        ..Default::default()
    }));
    let open = service.open_ephemeral_resource(Request::new(pb::open_ephemeral_resource::Request {
        type_name: type_name.clone(),
        config,
        ..Default::default()
    }));
    let renew = service
        .renew_ephemeral_resource(Request::new(pb::renew_ephemeral_resource::Request { type_name, private: None }));
    let calls = async { tokio::join!(plan, read, open, renew) };
    tokio::pin!(calls);
    assert!(futures_util::poll!(&mut calls).is_pending(), "each of them would wait for ever");
    service.stop_provider(Request::new(Default::default())).await.unwrap();
    let (plan, read, open, renew) = tokio::time::timeout(std::time::Duration::from_secs(5), calls).await.unwrap();
    let said = [
        plan.unwrap().into_inner().diagnostics,
        read.unwrap().into_inner().diagnostics,
        open.unwrap().into_inner().diagnostics,
        renew.unwrap().into_inner().diagnostics,
    ];
    for (diagnostics, what) in said.iter().zip(["plan", "read", "opening", "renewal"]) {
        assert_eq!(diagnostics.len(), 1, "{what}");
        assert_eq!(diagnostics[0].summary, "Interrupted");
        assert_eq!(diagnostics[0].detail, format!("The {what} was interrupted. Run it again."));
    }
}

#[tokio::test]
async fn a_new_name_replaces_and_a_new_size_does_not() {
    let prior = thing(&[("name", "a".into()), ("size", 40.into()), ("id", "i".into())]);
    let reply = plan(&prior, &thing(&[("name", "b".into())])).await;
    assert_eq!(reply.requires_replace.len(), 1);
    let reply = plan(&prior, &thing(&[("name", "a".into()), ("size", 41.into())])).await;
    assert!(reply.requires_replace.is_empty());
    assert_eq!(value(reply.planned_state.as_ref()).attribute("id"), &"i".into());
    let reply = plan(&prior, &thing(&[("name", "a".into())])).await;
    assert_eq!(value(reply.planned_state.as_ref()), prior, "nothing changed");
}

#[tokio::test]
async fn import_by_id_and_by_identity_lead_to_the_same_read() {
    let service = service().await;
    let identity = codec::encode(
        &Value::Object(BTreeMap::from([("name".to_owned(), "a".into())])),
        &object_type(&ThingIdentity::attributes()),
    );
    for (id, identity) in [("a", None), ("", Some(identity.unwrap()))] {
        let request = pb::import_resource_state::Request {
            type_name: "test_thing".to_owned(),
            id: id.to_owned(),
            identity: identity.map(|data| pb::ResourceIdentityData { identity_data: Some(data) }),
            ..Default::default()
        };
        let reply = service.import_resource_state(Request::new(request)).await.unwrap().into_inner();
        let imported = &reply.imported_resources[0];
        let request = pb::read_resource::Request {
            type_name: "test_thing".to_owned(),
            current_state: imported.state.clone(),
            private: imported.private.clone(),
            ..Default::default()
        };
        let reply = service.read_resource(Request::new(request)).await.unwrap().into_inner();
        assert_eq!(value(reply.new_state.as_ref()), thing(&[("name", "a".into()), ("id", "read".into())]));
        assert_eq!(reply.private, br#"{"observed":"yes"}"#);
        assert!(reply.new_identity.is_some());
    }
}

#[tokio::test]
async fn an_object_that_is_gone_reads_as_null() {
    let request = pb::read_resource::Request {
        type_name: "test_thing".to_owned(),
        current_state: message(&thing(&[("name", "gone".into())])),
        ..Default::default()
    };
    let reply = service().await.read_resource(Request::new(request)).await.unwrap().into_inner();
    assert!(value(reply.new_state.as_ref()).is_null());
}

#[tokio::test]
async fn a_state_of_the_same_version_is_read_from_json() {
    let request = pb::upgrade_resource_state::Request {
        type_name: "test_thing".to_owned(),
        version: 0,
        raw_state: Some(pb::RawState {
            json: br#"{"name":"a","size":12345678901234567890,"removed":1}"#.to_vec(),
            ..Default::default()
        }),
    };
    let reply = service().await.upgrade_resource_state(Request::new(request)).await.unwrap().into_inner();
    let number = Value::Number("12345678901234567890".parse().unwrap());
    assert_eq!(value(reply.upgraded_state.as_ref()).attribute("size"), &number);
}

#[tokio::test]
async fn what_cannot_be_read_or_does_not_exist_is_a_diagnostic() {
    let service = service().await;
    for (type_name, bytes) in [("test_thing", vec![0xff, 0x00]), ("test_thing", vec![0x80]), ("test_other", vec![0xc0])]
    {
        let request = pb::validate_resource_config::Request {
            type_name: type_name.to_owned(),
            config: Some(pb::DynamicValue { msgpack: bytes, json: vec![] }),
            client_capabilities: None,
        };
        let reply = service.validate_resource_config(Request::new(request)).await.unwrap().into_inner();
        assert_eq!(reply.diagnostics.len(), 1, "{type_name}");
    }
    let request = pb::upgrade_resource_state::Request {
        type_name: "test_thing".to_owned(),
        version: 7,
        raw_state: Some(pb::RawState { json: b"{}".to_vec(), ..Default::default() }),
    };
    let reply = service.upgrade_resource_state(Request::new(request)).await.unwrap().into_inner();
    assert!(reply.diagnostics[0].detail.contains("schema version 7"));
}

#[tokio::test]
async fn the_schema_gives_every_object_a_block_and_marks_write_only() {
    let reply = service().await.get_provider_schema(Request::new(Default::default())).await.unwrap().into_inner();
    assert!(reply.provider.unwrap().block.is_some());
    let block = reply.resource_schemas["test_thing"].block.clone().unwrap();
    let find = |name: &str| block.attributes.iter().find(|a| a.name == name).unwrap().clone();
    assert!(find("password_wo").write_only);
    assert!(find("size").optional && find("size").computed);
    assert_eq!(find("name").description, "Its name.");
}
