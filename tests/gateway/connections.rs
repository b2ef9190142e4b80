//! Making, reading, changing and deleting connections.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdsaccess::access::{EngineKind, Span, TlsMode};
use rdsaccess::gateway::{
    AccessModes, ConnectionSpec, DATABASE_TAG, Env, EnvState, EnvValue, HOST, Kind, PASS, Reference, Removal, Setting,
    TlsState, USER, endpoint_env, iam_env, mark_tags, tls_state,
};
use serde_json::json;

use crate::rig::Rig;

fn texts<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

async fn full_spec(rig: &Rig) -> ConnectionSpec {
    let arn = "arn:aws:rds:eu-central-1:123456789012:db:ledger".parse().unwrap();
    let mut spec = rig.spec("ledger-ro").await;
    spec.env = endpoint_env("ledger.internal", 5432, "ledger");
    spec.env.insert(USER.to_owned(), EnvValue::Plain("hoop_ro".to_owned()));
    spec.env.insert(PASS.to_owned(), EnvValue::Reference(Reference::aws("rdsaccess/ledger", "password").unwrap()));
    ConnectionSpec {
        resource_name: Some("ledger".to_owned()),
        access_modes: AccessModes { exec: false, ..AccessModes::default() },
        reviewers: Setting::Set(texts(["dba", "sre"])),
        redact_types: Setting::Set(texts(["EMAIL_ADDRESS"])),
        force_approve_groups: Setting::Set(texts(["sre"])),
        attributes: Setting::Set(texts(["pii"])),
        mandatory_metadata_fields: Setting::Set(texts(["ticket"])),
        access_max_duration: Setting::Set(Span::from_seconds(3600)),
        min_review_approvals: Setting::Set(2),
        jira_issue_template_id: Setting::Set("b19bba55-8646-4d94-a40a-c3afe2f4bafd".to_owned()),
        tags: mark_tags(&arn),
        ..spec
    }
}

#[tokio::test]
async fn a_new_connection_reads_back_as_it_was_wanted_with_what_the_gateway_fills_in() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    assert!(gateway.get_connection("ledger-ro").await.unwrap().is_none());
    let spec = full_spec(&rig).await;
    let made = gateway.create_connection(&spec).await.unwrap();
    assert_eq!(gateway.get_connection("ledger-ro").await.unwrap().unwrap().id, made.id);
    assert_eq!(made.subtype, "postgres");
    assert_eq!(made.command[0], "psql");
    assert_eq!((made.resource_name.as_str(), made.status.as_str()), ("ledger", "online"));
    assert_eq!(made.agent_id, spec.agent_id);
    assert_eq!(made.access_modes, spec.access_modes);
    assert_eq!(made.default_database.as_deref(), Some("ledger"));
    assert_eq!(Setting::Set(made.reviewers.clone()), spec.reviewers);
    assert_eq!(Setting::Set(made.attributes.clone()), spec.attributes);
    assert_eq!(made.access_max_duration, Some(Span::from_seconds(3600)));
    assert_eq!(made.min_review_approvals, Some(2));
    assert!(made.is_ours() && made.jira_issue_template_id.is_some());
    for (key, value) in &spec.env {
        assert_eq!(made.compare(key, value), EnvState::InSync, "{key}");
    }
    assert_eq!(made.env("SSLMODE"), Env::Literal("require".into()));
}

#[tokio::test]
async fn every_engine_gets_the_command_of_its_subtype() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    for (engine, subtype, command) in [
        (EngineKind::Mysql, "mysql", "mysql"),
        (EngineKind::Mariadb, "mysql", "mysql"),
        (EngineKind::Sqlserver, "mssql", "sqlcmd"),
    ] {
        let spec = ConnectionSpec { engine, ..rig.spec(&format!("of-{engine}")).await };
        let made = gateway.create_connection(&spec).await.unwrap();
        assert_eq!((made.subtype.as_str(), made.command[0].as_str()), (subtype, command), "{engine}");
    }
    let made = gateway.get_connection("of-sqlserver").await.unwrap().unwrap();
    assert_eq!(made.env("INSECURE"), Env::Literal("false".into()));
}

#[tokio::test]
async fn an_update_keeps_what_others_set_and_fields_that_we_do_not_know() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    gateway.create_connection(&full_spec(&rig).await).await.unwrap();
    rig.steer("POST", "attributes", json!({"name": "profile", "managed_by": "hoop"})).await;
    rig.change(
        "ledger-ro",
        json!({
            "command": ["psql", "--own"], "connection_tags": {"env": "prod", "old": "x"}, "redact_types": ["PHONE"],
            "attributes": ["pii", "profile"], "a_field_of_tomorrow": {"on": true}, "tags": ["legacy"],
            "secret": {"envvar:SSLMODE": "dmVyaWZ5LWZ1bGw=", "envvar:OWN": "bWluZQ==", "envvar:USER": "aG9vcF9ybw=="},
        }),
    )
    .await;
    let mut spec = rig.spec("ledger-ro").await;
    spec.env.insert(PASS.to_owned(), EnvValue::Secret("s3cret".into()));
    spec.forget_env.insert(USER.to_owned());
    spec.tags = BTreeMap::from([("team".to_owned(), "pay".to_owned())]);
    spec.forget_tags = texts(["old"]);
    spec.reviewers = Setting::Clear;
    spec.access_max_duration = Setting::Clear;
    let updated = gateway.update_connection(&spec).await.unwrap();

    let stored = rig.stored("ledger-ro").await;
    assert_eq!(stored["command"], json!(["psql", "--own"]));
    assert_eq!(stored["connection_tags"], json!({"env": "prod", "team": "pay"}));
    assert_eq!(stored["attributes"], json!(["pii", "profile"]));
    assert_eq!(stored["redact_types"], json!(["PHONE"]));
    assert_eq!(stored["tags"], json!(["legacy"]));
    assert_eq!(stored["resource_name"], "ledger");
    assert_eq!((&stored["reviewers"], &stored["access_max_duration"]), (&json!([]), &json!(null)));
    assert_eq!(stored["force_approve_groups"], json!(["sre"]));
    assert_eq!(stored["min_review_approvals"], 2);
    assert_eq!(
        stored["secret"],
        json!({"envvar:SSLMODE": "dmVyaWZ5LWZ1bGw=", "envvar:OWN": "bWluZQ==", "envvar:PASS": "czNjcmV0"})
    );
    assert_eq!(rig.last_body("PUT").await["a_field_of_tomorrow"], json!({"on": true}));
    assert_eq!(updated.attributes, texts(["pii"]));
    assert_eq!(updated.managed_attributes, texts(["profile"]));
    assert_eq!(updated.compare(PASS, &EnvValue::Secret("s3cret".into())), EnvState::InSync);
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let spec = full_spec(&rig).await;
    gateway.create_connection(&spec).await.unwrap();
    rig.change("ledger-ro", json!({"reviewers": ["sre", "dba"]})).await;
    rig.forget_log().await;
    assert_eq!(Setting::Set(gateway.update_connection(&spec).await.unwrap().reviewers), spec.reviewers);
    assert_eq!(rig.calls().await, ["GET /api/connections/ledger-ro 200"]);
}

#[tokio::test]
async fn secrets_of_the_gateway_resource_are_not_taken_for_the_connections_own() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    rig.steer("PUT", "resources/ledger", json!({"envs": {"envvar:PASS": "cmVzb3VyY2U="}})).await;
    let mut spec = ConnectionSpec { resource_name: Some("ledger".to_owned()), ..rig.spec("ledger-ro").await };
    assert_eq!(gateway.create_connection(&spec).await.unwrap().env(PASS), Env::Absent);
    spec.env.insert(HOST.to_owned(), EnvValue::Plain("b.internal".to_owned()));
    assert_eq!(gateway.update_connection(&spec).await.unwrap().env(PASS), Env::Absent);
    assert!(rig.stored("ledger-ro").await["secret"].get("envvar:PASS").is_none());
}

#[tokio::test]
async fn a_connection_gets_the_word_on_tls_that_the_provider_goes_by() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    for (engine, tls, variable, value) in [
        (EngineKind::Postgres, TlsMode::VerifyFull, "SSLMODE", "require"),
        (EngineKind::Postgres, TlsMode::Disable, "SSLMODE", "prefer"),
        (EngineKind::Sqlserver, TlsMode::VerifyCa, "INSECURE", "false"),
        (EngineKind::Sqlserver, TlsMode::Disable, "INSECURE", "true"),
    ] {
        let name = format!("of-{engine}-{}", tls.as_str());
        let spec = ConnectionSpec { engine, tls, ..rig.spec(&name).await };
        assert_eq!(gateway.create_connection(&spec).await.unwrap().env(variable), Env::Literal(value.into()), "{name}");

        // Imported without it: a write of its own only where none goes less far.
        let tags = json!({"rdsaccess.managed": "true"});
        rig.change(&name, json!({"secret": {"envvar:OWN": "bWluZQ=="}, "connection_tags": tags})).await;
        rig.forget_log().await;
        gateway.update_connection(&spec).await.unwrap();
        let is_written = rig.calls().await.iter().any(|call| call.starts_with("PUT"));
        assert_eq!(is_written, (engine, tls) == (EngineKind::Postgres, TlsMode::VerifyFull), "{name}");
        let spec = ConnectionSpec { reviewers: Setting::Set(texts(["dba"])), ..spec };
        let changed = gateway.update_connection(&spec).await.unwrap();
        assert_eq!(
            (changed.env(variable), changed.env("OWN")),
            (Env::Literal(value.into()), Env::Literal("mine".into()))
        );
        assert_eq!(tls_state(&changed, engine, tls), Some(TlsState::Enough));
    }
}

#[tokio::test]
async fn tls_that_a_hand_weakened_is_repaired_and_what_goes_further_stays() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    for (engine, variable, weak, usual, further) in [
        (EngineKind::Postgres, "SSLMODE", "disable", "require", "verify-full"),
        (EngineKind::Sqlserver, "INSECURE", "true", "false", "False"),
    ] {
        let spec = ConnectionSpec { engine, ..rig.spec(&format!("of-{engine}")).await };
        let lax = ConnectionSpec { tls: TlsMode::Disable, ..spec.clone() };
        gateway.create_connection(&spec).await.unwrap();
        let by_hand = async |value: &str| {
            let secret = json!({(format!("envvar:{variable}")): STANDARD.encode(value), "envvar:OWN": "bWluZQ=="});
            rig.change(&spec.name, json!({ "secret": secret })).await;
        };
        by_hand(weak).await;
        let kept = gateway.update_connection(&lax).await.unwrap();
        assert_eq!(kept.env(variable), Env::Literal(weak.into()), "the provider itself does without TLS");
        assert_eq!(tls_state(&kept, engine, lax.tls), Some(TlsState::Enough));
        let words = format!("{variable} is {weak} instead of {usual}");
        assert_eq!(tls_state(&kept, engine, spec.tls), Some(TlsState::Weak(words)));

        let repaired = gateway.update_connection(&spec).await.unwrap();
        assert_eq!(repaired.env(variable), Env::Literal(usual.into()));
        assert_eq!(repaired.env("OWN"), Env::Literal("mine".into()));
        by_hand(further).await;
        assert_eq!(gateway.update_connection(&spec).await.unwrap().env(variable), Env::Literal(further.into()));
    }
}

#[tokio::test]
async fn a_resource_is_removed_only_when_nobody_uses_it() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    assert!(gateway.resource("ledger", "ledger-ro").await.unwrap().is_none());
    gateway.create_connection(&full_spec(&rig).await).await.unwrap();
    assert!(!gateway.resource("ledger", "ledger-ro").await.unwrap().unwrap().has_variables());
    let remove = || gateway.remove_unused_resource("ledger", "ledger-ro");
    assert_eq!(remove().await.unwrap(), Removal::InUse);
    rig.steer("PUT", "resources/ledger", json!({"envs": {"envvar:HOST": "eA=="}})).await;
    assert!(gateway.resource("ledger", "ledger-ro").await.unwrap().unwrap().has_variables());
    gateway.delete_connection("ledger-ro").await.unwrap();
    assert_eq!([remove().await.unwrap(), remove().await.unwrap()], [Removal::Gone, Removal::Gone]);
    assert!(gateway.resource("ledger", "ledger-ro").await.unwrap().is_none());
}

#[tokio::test]
async fn iam_logins_and_another_engine_are_written_in_place() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    gateway.create_connection(&full_spec(&rig).await).await.unwrap();
    let mut spec = ConnectionSpec { engine: EngineKind::Mysql, ..rig.spec("ledger-ro").await };
    spec.env = iam_env("hoop_ro").unwrap();
    let updated = gateway.update_connection(&spec).await.unwrap();
    assert_eq!(updated.env(USER), Env::Reference(Reference::rds_iam("hoop_ro").unwrap()));
    assert_eq!((updated.subtype.as_str(), updated.command[0].as_str()), ("mysql", "mysql"));
}

#[tokio::test]
async fn a_connection_that_an_agent_manages_is_refused_before_anything_is_written() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let spec = full_spec(&rig).await;
    gateway.create_connection(&spec).await.unwrap();
    rig.change("ledger-ro", json!({"managed_by": "agent"})).await;
    rig.forget_log().await;
    let error = gateway.update_connection(&spec).await.unwrap_err();
    assert_eq!(error.kind, Kind::AgentManaged { managed_by: "agent".to_owned() });
    assert_eq!(rig.calls().await, ["GET /api/connections/ledger-ro 200"]);
}

#[tokio::test]
async fn deleting_twice_succeeds_and_updating_after_that_says_it_is_gone() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let spec = full_spec(&rig).await;
    gateway.create_connection(&spec).await.unwrap();
    gateway.delete_connection("ledger-ro").await.unwrap();
    gateway.delete_connection("ledger-ro").await.unwrap();
    assert!(gateway.get_connection("ledger-ro").await.unwrap().is_none());
    assert!(gateway.update_connection(&spec).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn the_connections_of_a_database_are_found_over_several_pages() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let ledger = full_spec(&rig).await;
    for number in 0..101 {
        let spec = ConnectionSpec { name: format!("ledger-{number:03}"), ..ledger.clone() };
        gateway.create_connection(&spec).await.unwrap();
    }
    gateway.create_connection(&rig.spec("other").await).await.unwrap();
    let arn = &ledger.tags[DATABASE_TAG];
    let found = gateway.connections_tagged(DATABASE_TAG, arn).await.unwrap();
    assert_eq!(found.len(), 101);
    assert!(found.iter().all(|c| c.is_ours() && c.resource_name == "ledger"));
    assert!(gateway.connections_tagged(DATABASE_TAG, "arn:aws:rds:x").await.unwrap().is_empty());
}

#[tokio::test]
async fn to_add_our_mark_alone_is_not_worth_a_write() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let spec = full_spec(&rig).await;
    gateway.create_connection(&spec).await.unwrap();
    rig.change("ledger-ro", json!({"connection_tags": {DATABASE_TAG: spec.tags[DATABASE_TAG]}})).await;
    rig.forget_log().await;
    gateway.update_connection(&spec).await.unwrap();
    assert_eq!(rig.calls().await, ["GET /api/connections/ledger-ro 200"]);
    let changed = ConnectionSpec { reviewers: Setting::Clear, ..spec };
    assert!(gateway.update_connection(&changed).await.unwrap().is_ours());
}
