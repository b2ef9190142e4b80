//! The pure parts: what a plan promises, what is sent, what is read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::imported::Unclaimed;
use super::model::{AccessModes, Connection, Role};
use super::plan::{moved, without_level};
use super::read::{Sight, observe, secret_state, tls_state};
use super::rules::problems;
use super::spec::{Delivery, Wish, spec};
use crate::access::{Auth, EngineKind, TlsMode};
use crate::gateway::{self, ConnectionSpec, EnvValue, Reference, Setting};
use crate::schema::{Attr, Private};

const ARN: &str = "arn:aws:rds:eu-central-1:123456789012:db:ledger";
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rdsaccess/ledger-AbCdEf";
const AGENT: &str = "75122bce-f957-49eb-a812-2ab60977cd9f";
const PASS_REFERENCE: &str = "X2F3czpyZHNhY2Nlc3MvbGVkZ2VyOnBhc3N3b3Jk";

fn texts<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

fn text(text: &str) -> Attr<String> {
    text.to_owned().into()
}

fn role() -> Role {
    Role {
        username: text("hoop_ro"),
        engine: EngineKind::Postgres.into(),
        endpoint: text("ledger.c1.eu-central-1.rds.amazonaws.com"),
        port: 5432.into(),
        default_database: text("ledger"),
        auth: Auth::Password.into(),
        secret_ref: SECRET.parse::<crate::access::SecretRef>().unwrap().into(),
        ..Role::default()
    }
}

/// A connection in state, in sync, with no further settings.
fn kept() -> Connection {
    let on = || Attr::Known(true);
    Connection {
        name: text("ledger-ro"),
        target_arn: ARN.parse::<crate::access::Arn>().unwrap().into(),
        role: role().into(),
        agent_id: text(AGENT),
        secret_delivery: text("reference"),
        resource_name: text("ledger"),
        access_modes: AccessModes { connect: on(), exec: on(), runbooks: on(), schema: on() }.into(),
        id: text("1"),
        command: Attr::Known(vec!["psql".to_owned()]),
        status: text("online"),
        secret_state: text("in_sync"),
        tls_state: text("ok"),
        ..Connection::default()
    }
}

/// The same connection as the gateway shows it, with some fields changed.
fn shown(further: Json) -> gateway::Connection {
    let mut body = json!({
        "id": "1", "name": "ledger-ro", "resource_name": "ledger", "type": "database", "subtype": "postgres",
        "agent_id": AGENT, "command": ["psql"], "status": "online",
        "access_mode_connect": "enabled", "access_mode_exec": "enabled",
        "access_mode_runbooks": "enabled", "access_schema": "enabled",
        "connection_tags": {"rdsaccess.managed": "true", "hoop.dev/aws-connect.dbarn": ARN},
        "secret": {
            "envvar:HOST": "bGVkZ2VyLmMxLmV1LWNlbnRyYWwtMS5yZHMuYW1hem9uYXdzLmNvbQ==", "envvar:PORT": "NTQzMg==",
            "envvar:USER": "aG9vcF9ybw==", "envvar:DB": "bGVkZ2Vy", "envvar:PASS": PASS_REFERENCE,
            "envvar:SSLMODE": "cmVxdWlyZQ==",
        },
    });
    let Json::Object(further) = further else { unreachable!() };
    for (field, value) in further {
        match (&mut body[&field], value) {
            (Json::Object(old), Json::Object(new)) => old.extend(new),
            (old, new) => *old = new,
        }
    }
    serde_json::from_value(body).unwrap()
}

fn sent(planned: &Connection, prior: Option<&Connection>, unclaimed: &Unclaimed) -> ConnectionSpec {
    let agent_id = "agent".to_owned();
    spec(&Wish { planned, prior, unclaimed, agent_id, delivery: Delivery::Reference, tls: TlsMode::VerifyFull })
        .unwrap()
}

fn read(state: &Connection, found: &gateway::Connection, all: bool) -> Connection {
    let mut state = state.clone();
    observe(
        &mut state,
        &Sight {
            connection: found,
            groups: None,
            agent_name: None,
            delivery: Some(Delivery::Reference),
            tls: TlsMode::VerifyFull,
        },
        all,
    );
    state
}

#[test]
fn the_level_at_the_end_of_a_name_is_no_part_of_the_resource() {
    let names = ["payments-main-ro", "payments-main-rw", "payments-main-ddl", "payments-main", "euro", "a-ro-x", "-ro"];
    let resources = names.map(without_level);
    assert_eq!(resources[..3], ["payments-main"; 3]);
    assert_eq!(resources[3..], ["payments-main", "euro", "a-ro-x", "-ro"]);
}

#[test]
fn only_the_password_is_a_reference() {
    let spec = sent(&kept(), None, &Unclaimed::default());
    let plain = |key: &str| match &spec.env[key] {
        EnvValue::Plain(value) => value.clone(),
        other => panic!("{key}: {other:?}"),
    };
    assert_eq!(["HOST", "PORT", "USER", "DB"].map(plain)[1..], ["5432", "hoop_ro", "ledger"]);
    assert_eq!(spec.env["PASS"], EnvValue::Reference(Reference::aws("rdsaccess/ledger", "password").unwrap()));
    let own = Connection { database: text("books"), ..kept() };
    assert_eq!(sent(&own, None, &Unclaimed::default()).env["DB"], EnvValue::Plain("books".to_owned()));
}

#[test]
fn an_iam_login_needs_no_secret() {
    let iam = Role { auth: Auth::Iam.into(), secret_ref: Attr::Null, ..role() };
    let planned = Connection { role: iam.into(), ..kept() };
    assert!(problems(&planned).is_empty());
    let env = sent(&planned, None, &Unclaimed::default()).env;
    assert_eq!(env["USER"], EnvValue::Reference(Reference::rds_iam("hoop_ro").unwrap()));
    assert_eq!(env["PASS"], EnvValue::Reference(Reference::rds_iam("authtoken").unwrap()));
}

#[test]
fn a_copy_is_sent_as_it_is_and_never_printed() {
    let planned = Connection { secret_delivery: text("copy"), ..kept() };
    let delivery = Delivery::Copy("hunter2-proven".into());
    let unclaimed = Unclaimed::default();
    let wish = Wish {
        planned: &planned,
        prior: None,
        unclaimed: &unclaimed,
        agent_id: "agent".to_owned(),
        delivery,
        tls: TlsMode::VerifyFull,
    };
    let spec = spec(&wish).unwrap();
    assert_eq!(spec.env["PASS"], EnvValue::Secret("hunter2-proven".into()));
    assert_eq!(spec.env["USER"], EnvValue::Plain("hoop_ro".to_owned()));
    assert!(!format!("{spec:?}").contains("hunter2"));
}

#[test]
fn a_copy_is_compared_in_memory() {
    let wanted = || Some(Delivery::Copy("hunter2-proven".into()));
    let state = |pass: Json, delivery: Option<Delivery>, role: Role| {
        let found = shown(json!({"secret": {"envvar:PASS": pass}}));
        secret_state(Some(&role), delivery.as_ref(), &found)
    };
    let proven = json!("aHVudGVyMi1wcm92ZW4=");
    assert_eq!(state(proven.clone(), wanted(), role()), text("in_sync"));
    for other in [json!("aHVudGVyMg=="), json!(PASS_REFERENCE), json!("%%")] {
        assert_eq!(state(other, wanted(), role()), text("differs"));
    }
    assert_eq!(state(Json::Null, wanted(), role()), text("hidden"));
    assert_eq!(state(proven.clone(), None, role()), text("differs"), "the secret cannot be used");
    assert_eq!(state(Json::Null, None, role()), text("hidden"));
    let imported = Role { secret_ref: Attr::Null, ..role() };
    assert_eq!(state(proven, None, imported), Attr::Null, "which secret is wanted is not known yet");
}

#[test]
fn another_version_of_the_secret_moves_a_copy_and_no_reference() {
    let of = |delivery: &str, version: Attr<String>| Connection {
        secret_delivery: text(delivery),
        role: Role { secret_version: version, ..role() }.into(),
        ..kept()
    };
    let after = |prior: &Connection, mut planned: Connection| {
        moved(prior, &mut planned);
        planned.secret_state
    };
    for (version, expected) in
        [(text("1"), text("in_sync")), (text("2"), Attr::Unknown), (Attr::Unknown, Attr::Unknown)]
    {
        assert_eq!(after(&of("copy", text("1")), of("copy", version.clone())), expected);
        assert_eq!(after(&of("reference", text("1")), of("reference", version)), text("in_sync"));
    }
    assert_eq!(after(&of("copy", text("1")), of("reference", text("1"))), Attr::Unknown);
    assert_eq!(after(&of("reference", text("1")), of("copy", text("1"))), Attr::Unknown);
    let unknown = Connection { secret_delivery: Attr::Unknown, ..of("copy", text("1")) };
    assert_eq!(after(&of("copy", text("1")), unknown), Attr::Unknown);
    let differs = Connection { secret_state: text("differs"), ..of("copy", text("1")) };
    assert_eq!(after(&differs, of("copy", text("1"))), text("in_sync"));
}

#[test]
fn mysql_without_a_database_opens_the_one_that_everybody_has() {
    for engine in [EngineKind::Mysql, EngineKind::Mariadb] {
        let bare = Role { engine: engine.into(), default_database: Attr::Null, ..role() };
        let planned = Connection { role: bare.into(), tls_state: Attr::Null, ..kept() };
        assert!(problems(&planned).is_empty());
        let env = sent(&planned, None, &Unclaimed::default()).env;
        assert_eq!(env["DB"], EnvValue::Plain("information_schema".to_owned()));
        let found = |database: &str| shown(json!({"subtype": "mysql", "secret": {"envvar:DB": database}}));
        assert_eq!(read(&planned, &found("aW5mb3JtYXRpb25fc2NoZW1h"), false), planned);
        let named = read(&planned, &found("bGVkZ2Vy"), false);
        assert_eq!(named.role.get().unwrap().default_database, text("ledger"), "a change by hand shows");
    }
}

#[test]
fn only_the_agent_needs_a_secret_that_it_can_find() {
    let out_of_reach = "vault:kv2:team:kv:a".parse::<crate::access::SecretRef>().unwrap();
    let role = Role { secret_ref: out_of_reach.into(), ..role() };
    let found = |delivery: Attr<String>| {
        problems(&Connection { role: role.clone().into(), secret_delivery: delivery, ..kept() }).len()
    };
    assert_eq!([found(text("reference")), found(Attr::Null)], [1, 1], "left out it is a reference");
    assert_eq!([found(text("copy")), found(Attr::Unknown)], [0, 0]);
}

#[test]
fn an_iam_login_has_no_password_to_copy() {
    let iam = Role { auth: Auth::Iam.into(), secret_ref: Attr::Null, ..role() };
    let planned = Connection { role: iam.into(), secret_delivery: text("copy"), ..kept() };
    let found = problems(&planned);
    assert_eq!(found.len(), 1);
    assert!(found[0].summary.contains("no password to copy"), "{found:?}");
}

#[test]
fn a_setting_is_set_cleared_when_it_was_ours_and_left_alone_otherwise() {
    let with = Connection { reviewers: texts(["dba"]).into(), tags: tags(&[("a", "1"), ("b", "2")]), ..kept() };
    let none = Unclaimed::default();
    assert_eq!(sent(&with, None, &none).reviewers, Setting::Set(texts(["dba"])));
    assert_eq!(sent(&kept(), None, &none).reviewers, Setting::Keep);
    assert_eq!(sent(&kept(), Some(&kept()), &none).reviewers, Setting::Keep);
    let cleared = sent(&Connection { tags: tags(&[("a", "1")]), ..kept() }, Some(&with), &none);
    assert_eq!((cleared.reviewers, cleared.forget_tags), (Setting::Clear, texts(["b"])));

    let mut private = Private::default();
    Unclaimed::remember(&mut private, &with);
    let imported = sent(&kept(), Some(&with), &Unclaimed::of(&private));
    assert_eq!((imported.reviewers, imported.forget_tags), (Setting::Keep, BTreeSet::new()));
    Unclaimed::forget(&mut private);
    assert_eq!(sent(&kept(), Some(&with), &Unclaimed::of(&private)).reviewers, Setting::Clear);
}

fn tags(tags: &[(&str, &str)]) -> Attr<BTreeMap<String, String>> {
    Attr::Known(tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn a_connection_as_it_was_made_reads_as_the_state_that_made_it() {
    assert_eq!(read(&kept(), &shown(json!({})), false), kept());
    let unmanaged = json!({"reviewers": ["dba"], "connection_tags": {"env": "prod"}, "min_review_approvals": 2});
    assert_eq!(read(&kept(), &shown(unmanaged), false), kept(), "what the state does not hold is not looked at");
}

#[test]
fn managed_settings_and_tags_read_as_they_are() {
    let managed = Connection {
        reviewers: texts(["dba"]).into(),
        min_review_approvals: 2.into(),
        tags: tags(&[("a", "1"), ("b", "2")]),
        ..kept()
    };
    let there = json!({"reviewers": [], "connection_tags": {"a": "9", "c": "3"}});
    let state = read(&managed, &shown(there), false);
    assert_eq!((state.reviewers, state.min_review_approvals), (BTreeSet::new().into(), Attr::Null));
    assert_eq!(state.tags, tags(&[("a", "9")]));
}

#[test]
fn a_login_that_was_changed_by_hand_reads_as_it_is() {
    let secret = json!({"envvar:HOST": "ZXZpbA==", "envvar:PORT": "eA==", "envvar:USER": "X2F3c19pYW1fcmRzOmJvb3Q=",
        "envvar:PASS": "aHVudGVyMg=="});
    let state = read(&kept(), &shown(json!({"secret": secret, "subtype": "mongodb"})), false);
    let role = state.role.get().unwrap();
    assert_eq!((&role.endpoint, &role.port, &role.engine), (&text("evil"), &Attr::Null, &Attr::Null));
    assert_eq!((&role.username, &role.auth), (&text("boot"), &Auth::Iam.into()));
    assert_eq!(state.secret_state, text("differs"));
    assert!(!format!("{state:?}").contains("hunter2"));
}

#[test]
fn mariadb_is_mysql_to_the_gateway_and_stays_what_it_was() {
    let mariadb = Connection { role: Role { engine: EngineKind::Mariadb.into(), ..role() }.into(), ..kept() };
    let engine = |state: &Connection| {
        let found = shown(json!({"subtype": "mysql"}));
        read(state, &found, false).role.get().unwrap().engine.get().copied()
    };
    assert_eq!((engine(&mariadb), engine(&kept())), (Some(EngineKind::Mariadb), Some(EngineKind::Mysql)));
}

#[test]
fn hidden_values_read_as_they_were() {
    let login = json!({"envvar:HOST": null, "envvar:PORT": null, "envvar:USER": null, "envvar:DB": null});
    assert_eq!(read(&kept(), &shown(json!({ "secret": null })), false).role, kept().role);
    assert_eq!(read(&kept(), &shown(json!({ "secret": null })), false).secret_state, text("hidden"));
    assert_eq!(read(&kept(), &shown(json!({ "secret": login })), false), kept());
    let hidden = json!({"secret": {"envvar:PASS": null}});
    assert_eq!(read(&kept(), &shown(hidden), false).secret_state, text("hidden"));
}

#[test]
fn an_import_takes_in_what_is_set_and_remembers_it() {
    let imported = Connection { name: text("ledger-ro"), ..Connection::default() };
    let found = shown(json!({"reviewers": ["dba"], "connection_tags": {"env": "prod"}, "access_max_duration": 60}));
    let state = read(&imported, &found, true);
    assert_eq!((&state.reviewers, &state.tags), (&texts(["dba"]).into(), &tags(&[("env", "prod")])));
    assert_eq!((&state.redact_types, &state.min_review_approvals), (&Attr::Null, &Attr::Null));
    assert_eq!(state.role.get().unwrap().secret_ref, Attr::Null);
    assert_eq!(state.secret_state, Attr::Null, "which secret is wanted is not known yet");

    let mut private = Private::default();
    Unclaimed::remember(&mut private, &state);
    let unclaimed = Unclaimed::of(&private);
    assert!(["access_max_duration", "reviewers", "tags"].into_iter().all(|name| unclaimed.has(name)));
    assert!(!unclaimed.has("redact_types"));
    assert!(unclaimed.warning(&state, &state).is_none());
    let partly = Connection { tags: tags(&[]), ..state.clone() };
    assert!(unclaimed.warning(&state, &partly).unwrap().detail.contains("leaves out: tags."));
}

#[test]
fn an_update_moves_only_the_results_that_belong_to_its_change() {
    let after = |change: fn(&mut Connection)| {
        let mut planned = kept();
        change(&mut planned);
        moved(&kept(), &mut planned);
        (planned.command.is_unknown(), planned.status.is_unknown(), planned.secret_state.is_unknown())
    };
    let in_role = |change: fn(&mut Role)| {
        let mut role = role();
        change(&mut role);
        role
    };
    assert_eq!(after(|c| c.reviewers = texts(["dba"]).into()), (false, false, false));
    assert_eq!(after(|c| c.agent_id = text("other")), (false, true, false));
    let port = in_role(|r| r.port = 5433.into());
    let engine = in_role(|r| r.engine = EngineKind::Mysql.into());
    let secret = in_role(|r| r.secret_ref = Attr::Unknown);
    for (role, expected) in
        [(port, (false, false, false)), (engine, (true, false, false)), (secret, (false, false, true))]
    {
        let mut planned = Connection { role: role.into(), ..kept() };
        moved(&kept(), &mut planned);
        let found = (planned.command.is_unknown(), planned.status.is_unknown(), planned.secret_state.is_unknown());
        assert_eq!(found, expected, "{:?}", planned.role);
    }
    assert_eq!(after(|c| c.role = Attr::Unknown), (true, false, true));
}

#[test]
fn a_password_that_differs_is_planned_to_be_in_sync_and_a_hidden_one_follows_other_changes() {
    let state = |before: &str, reviewers: bool| {
        let prior = Connection { secret_state: text(before), ..kept() };
        let mut planned = prior.clone();
        if reviewers {
            planned.reviewers = texts(["dba"]).into();
        }
        moved(&prior, &mut planned);
        planned.secret_state
    };
    assert_eq!([state("differs", false), state("differs", true)], [text("in_sync"), text("in_sync")]);
    assert_eq!([state("hidden", false), state("hidden", true)], [text("hidden"), Attr::Unknown]);
}

#[test]
fn less_tls_is_planned_to_be_as_good_and_more_or_hidden_stays() {
    let seen = |variables: Json, tls| {
        let found = shown(json!({ "secret": variables }));
        tls_state(&found, EngineKind::Postgres, tls)
    };
    let weak = seen(json!({"envvar:SSLMODE": "ZGlzYWJsZQ=="}), TlsMode::VerifyFull);
    assert_eq!(weak, text("SSLMODE is disable instead of require"));
    assert_eq!(seen(json!({"envvar:SSLMODE": "ZGlzYWJsZQ=="}), TlsMode::Disable), text("ok"));
    assert_eq!(seen(json!({"envvar:SSLMODE": "dmVyaWZ5LWZ1bGw="}), TlsMode::VerifyCa), text("ok"));
    assert_eq!(seen(json!({ "envvar:SSLMODE": null }), TlsMode::VerifyFull), text("hidden"));
    assert_eq!(tls_state(&shown(json!({})), EngineKind::Mariadb, TlsMode::VerifyFull), Attr::Null);
    assert_eq!(read(&kept(), &shown(json!({})), false), kept());

    let planned = |before: Attr<String>, engine| {
        let prior = Connection { tls_state: before, ..kept() };
        let mut planned = Connection { role: Role { engine: Attr::Known(engine), ..role() }.into(), ..prior.clone() };
        moved(&prior, &mut planned);
        planned.tls_state
    };
    assert_eq!(planned(weak.clone(), EngineKind::Postgres), text("ok"));
    assert_eq!(planned(text("hidden"), EngineKind::Postgres), text("hidden"));
    assert!(planned(weak, EngineKind::Sqlserver).is_unknown());
}

#[test]
fn what_is_unknown_is_not_judged() {
    let unknown = Connection {
        agent_id: Attr::Unknown,
        agent_name: Attr::Null,
        role: Role { auth: Attr::Unknown, secret_ref: Attr::Null, default_database: Attr::Unknown, ..role() }.into(),
        ..kept()
    };
    assert!(problems(&unknown).is_empty());
    assert!(problems(&Connection { role: Attr::Unknown, ..unknown }).is_empty());
}

#[test]
fn every_problem_points_at_its_attribute() {
    let wrong = Connection {
        agent_name: text("lab"),
        role: Role { secret_ref: Attr::Null, default_database: Attr::Null, ..role() }.into(),
        tags: tags(&[("rdsaccess.managed", "false"), ("a", "b.c")]),
        ..kept()
    };
    let at: Vec<String> = problems(&wrong).iter().map(|r| r.attribute.as_ref().unwrap().to_string()).collect();
    assert_eq!(at, ["agent_id", "role.secret_ref", "database", "tags[\"a\"]", "tags[\"rdsaccess.managed\"]"]);
    let iam = Role { auth: Auth::Iam.into(), endpoint: text("db.internal"), ..role() };
    let custom = problems(&Connection { role: iam.into(), ..kept() });
    assert!(custom[0].detail.contains("third part of the host name"), "{custom:?}");
}
