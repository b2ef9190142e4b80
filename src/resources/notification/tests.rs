//! When something is told, and under which id.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::access::{Auth, EngineKind, Secret, Span, Target};
use crate::notify::SecretPlace;
use crate::schema::{Attr, Timeouts};

use super::event::{event, event_id};
use super::model::{Notification, RoleResult, Svix, Webhook};
use super::plan::is_news;
use super::rules;

fn role(username: &str) -> RoleResult {
    RoleResult {
        username: username.to_owned().into(),
        access: Attr::Known("read_only".parse().unwrap()),
        engine: EngineKind::Postgres.into(),
        endpoint: "ledger.example".to_owned().into(),
        port: 5432.into(),
        default_database: "shop".to_owned().into(),
        secret_ref: "vault:kv2::secret:ledger/hoop_ro".parse().ok().into(),
        rotated_at: "2026-01-05T10:01:05Z".to_owned().into(),
        coverage: BTreeMap::from([("shop".to_owned(), "complete".to_owned())]).into(),
        credential: "ok".to_owned().into(),
        ..RoleResult::default()
    }
}

fn notification() -> Notification {
    Notification {
        target_arn: Attr::Known("arn:aws:rds:eu-west-1:111122223333:db:ledger".parse().unwrap()),
        results: vec![role("hoop_ro")].into(),
        timeout: "5m".parse::<Span>().unwrap().into(),
        ..Notification::default()
    }
}

fn target() -> Target {
    Target {
        arn: "arn:aws:rds:eu-west-1:111122223333:db:ledger".parse().unwrap(),
        resource_id: "db-A".to_owned(),
        engine: EngineKind::Postgres,
        rds_engine: "aurora-postgresql".to_owned(),
        engine_version: "16.4".to_owned(),
        aurora: true,
        endpoint: None,
        reader_endpoint: None,
        master_username: "admin1".to_owned(),
        database_name: None,
        iam_authentication: false,
        publicly_accessible: false,
        vpc_id: None,
        security_group_ids: Vec::new(),
        status: "available".to_owned(),
        tags: BTreeMap::new(),
        managed_secret: None,
        managed_status: None,
        managed_kms_key_id: None,
        pending_changes: Vec::new(),
        members: Vec::new(),
    }
}

/// Something else in one of the attributes of a role.
fn other_roles() -> Vec<RoleResult> {
    let it = role("hoop_ro");
    vec![
        RoleResult { username: "hoop_rw".to_owned().into(), ..it.clone() },
        RoleResult { access: Attr::Known("ddl".parse().unwrap()), ..it.clone() },
        RoleResult { engine: EngineKind::Mysql.into(), ..it.clone() },
        RoleResult { endpoint: "stock.example".to_owned().into(), ..it.clone() },
        RoleResult { port: 5433.into(), ..it.clone() },
        RoleResult { default_database: Attr::Null, ..it.clone() },
        RoleResult { auth: Auth::Iam.into(), ..it.clone() },
        RoleResult { secret_ref: Attr::Null, ..it.clone() },
        RoleResult { secret_version: "2".to_owned().into(), ..it.clone() },
        RoleResult { rotated_at: Attr::Null, ..it.clone() },
        RoleResult { coverage: Attr::Null, ..it.clone() },
        RoleResult { credential: "locked".to_owned().into(), ..it },
    ]
}

#[test]
fn every_part_of_what_is_told_gives_another_id_and_is_news() {
    let it = notification();
    let mut others: Vec<Notification> =
        other_roles().into_iter().map(|role| Notification { results: vec![role].into(), ..it.clone() }).collect();
    others.push(Notification { results: vec![role("hoop_ro"), role("hoop_ro")].into(), ..it.clone() });
    others.push(Notification { triggers: BTreeMap::from([("a".to_owned(), "b".to_owned())]).into(), ..it.clone() });
    let elsewhere = "arn:aws:rds:eu-west-1:111122223333:db:stock".parse().unwrap();
    others.push(Notification { target_arn: Attr::Known(elsewhere), ..it.clone() });
    let mut ids: Vec<String> = others.iter().chain([&it]).map(|other| event_id(None, other)).collect();
    assert!(others.iter().all(|other| is_news(&it, other)));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), others.len() + 1);
}

#[test]
fn everything_else_gives_the_same_id_and_is_no_news() {
    let it = notification();
    let webhook = Webhook { url: "https://h.example.com".to_owned().into(), ..Webhook::default() };
    for other in [
        Notification { webhook: webhook.into(), ..it.clone() },
        Notification { command: vec!["true".to_owned()].into(), ..it.clone() },
        Notification { include_secrets: true.into(), ..it.clone() },
        Notification { timeout: "1m".parse::<Span>().unwrap().into(), ..it.clone() },
        Notification { event_id: "x".to_owned().into(), output: "y".to_owned().into(), ..it.clone() },
    ] {
        assert!(!is_news(&it, &other));
        assert_eq!(event_id(None, &it), event_id(None, &other));
    }
}

#[test]
fn what_travels_in_clear_text_is_said_and_the_own_machine_is_no_way_to_travel() {
    let said = |url: &str, svix: Attr<Svix>| {
        let webhook = Webhook { url: url.to_owned().into(), svix, ..Webhook::default() };
        rules::clear_text(&webhook).map(|report| report.summary)
    };
    assert_eq!(said("http://h.example.com", Attr::Null).unwrap(), "The event travels in clear text");
    let svix = Svix { app_id: "a".to_owned().into() };
    assert!(said("http://h.example.com", svix.into()).unwrap().contains("token of Svix"));
    assert_eq!(said("https://h.example.com", Attr::Null), None);
    assert_eq!(said("http://localhost:8080/a", Attr::Null), None);
}

#[test]
fn an_application_of_svix_that_is_another_path_is_refused_at_plan() {
    let said = |url: Attr<String>, application: &str| {
        let svix = Svix { app_id: application.to_owned().into() };
        let webhook = Webhook { url, secret_wo: Attr::Unknown, svix: svix.into() };
        let problems = rules::problems(&Notification { webhook: webhook.into(), ..notification() });
        problems.into_iter().map(|report| report.detail).collect::<String>()
    };
    assert_eq!(said(Attr::Null, "app_1"), "");
    assert_eq!(said(Attr::Unknown, "a/b?"), "");
    assert!(said(Attr::Null, "..").contains("`..` is no application of Svix"));
    assert!(said("https://s.example.com?a=b".to_owned().into(), "app_1").contains("swallow the path"));
}

/// A call that ends first would take the command or the event with it, and nothing would say why.
#[test]
fn a_time_that_is_not_below_that_of_the_calls_is_refused_and_both_are_named() {
    let span = |text: &str| Attr::Known(text.parse::<Span>().unwrap());
    let open = |create: Attr<Span>, update: Attr<Span>| -> Attr<Timeouts> {
        Timeouts { create, update, ..Timeouts::default() }.into()
    };
    let it = |timeout: Attr<Span>, timeouts: Attr<Timeouts>| Notification {
        command: vec!["true".to_owned()].into(),
        timeout,
        timeouts,
        ..notification()
    };
    let said = |it: &Notification| rules::problems(it).into_iter().map(|report| report.detail).collect::<String>();
    for (timeout, timeouts, named) in [
        (span("1h"), Attr::Null, "`timeout` is 1h, and `timeouts.create` is 30m and `timeouts.update` is 30m:"),
        (span("30m"), Attr::Null, "`timeout` is 30m, and `timeouts.create` is 30m"),
        (span("1h"), open(span("2h"), Attr::Null), "`timeout` is 1h, and `timeouts.update` is 30m:"),
        (Attr::Null, open(span("2m"), Attr::Null), "`timeout` is 5m, and `timeouts.create` is 2m:"),
    ] {
        let said = said(&it(timeout, timeouts));
        assert!(said.contains(named) && said.contains("to more than"), "{said}");
    }
    for (timeout, timeouts) in [
        (span("29m"), Attr::Null),
        (span("1h"), open(span("2h"), span("2h"))),
        (span("1h"), Attr::Unknown),
        (span("1h"), open(Attr::Unknown, span("61m"))),
        (Attr::Unknown, open(span("1m"), span("1m"))),
    ] {
        let it = it(timeout, timeouts);
        assert_eq!((said(&it).as_str(), rules::too_long_together(&it)), ("", None));
    }
}

#[test]
fn command_and_event_that_may_take_longer_together_than_the_calls_are_a_warning() {
    let webhook =
        Webhook { url: "https://h.example.com".to_owned().into(), secret_wo: Attr::Unknown, svix: Attr::Null };
    let both = |timeout: &str| Notification {
        command: vec!["true".to_owned()].into(),
        webhook: webhook.clone().into(),
        timeout: timeout.parse::<Span>().unwrap().into(),
        ..notification()
    };
    let report = rules::too_long_together(&both("15m")).expect("two times 15 minutes are the time of the calls");
    assert!(report.detail.contains("together 30m, and `timeouts.create` is 30m"), "{}", report.detail);
    assert_eq!((rules::problems(&both("15m")), rules::too_long_together(&both("14m"))), (Vec::new(), None));
}

#[test]
fn a_token_of_svix_that_no_header_takes_is_told_before_anything_is_made() {
    let said = |token: &str| {
        let svix = Svix { app_id: "app_1".to_owned().into() };
        let webhook = Webhook { svix: svix.into(), secret_wo: Secret::from(token).into(), ..Webhook::default() };
        rules::problems(&Notification { webhook: webhook.into(), ..notification() })
    };
    for token in ["", "my token", "tök"] {
        assert_eq!(
            said(token).first().map(|report| report.summary.as_str()),
            Some("The token of Svix is not one"),
            "{token}"
        );
    }
    assert_eq!(said("testsk_hunter2.eu"), []);
}

/// A configuration without the key is right: most plans send nothing, and who makes them need not have it.
#[test]
fn a_missing_key_is_only_told_where_something_is_sent() {
    let url: Attr<String> = "https://h.example.com".to_owned().into();
    let svix: Attr<Svix> = Svix { app_id: "app_1".to_owned().into() }.into();
    for (webhook, summary) in [
        (Webhook { url: url.clone(), ..Webhook::default() }, "The webhook has no signing key"),
        (Webhook { svix, ..Webhook::default() }, "Svix needs a token"),
        (Webhook { url: url.clone(), svix: Attr::Unknown, ..Webhook::default() }, "The webhook has no key"),
    ] {
        let it = Notification { webhook: webhook.clone().into(), ..notification() };
        assert_eq!(rules::problems(&it), []);
        let said = rules::no_secret(&it).unwrap();
        assert_eq!(said.summary, summary);
        assert!(said.detail.contains("to the plan and again to the apply"), "{}", said.detail);
        let later = Webhook { secret_wo: Attr::Unknown, ..webhook };
        assert_eq!(rules::no_secret(&Notification { webhook: later.into(), ..notification() }), None);
    }
    assert_eq!(rules::no_secret(&notification()), None, "a command needs no key");
}

#[test]
fn a_key_is_judged_wherever_it_is_given() {
    let said = |key: &str| {
        let webhook = Webhook {
            url: "https://h.example.com".to_owned().into(),
            secret_wo: Secret::from(key).into(),
            ..Webhook::default()
        };
        let found = rules::problems(&Notification { webhook: webhook.into(), ..notification() });
        found.into_iter().map(|report| report.detail).collect::<String>()
    };
    let (least, most) = ("YSBrZXkgb2YgU3RhbmRhcmQgV2ViaG9v", "x".repeat(128));
    for key in [least, &format!("whsec_{least}"), &most] {
        assert_eq!(said(key), "", "{key}");
    }
    for key in ["whsec_hunter2", "YSBrZXkgb2YgU3RhbmRhcmQg", ""] {
        let said = said(key);
        assert!(said.contains("24 bytes or more in base64") && said.contains("with or without `whsec_`"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_notification_of_no_role_is_refused_as_soon_as_that_is_known() {
    let of = |results: Attr<Vec<RoleResult>>| {
        let it = Notification { results, command: vec!["true".to_owned()].into(), ..notification() };
        rules::problems(&it).into_iter().map(|report| report.summary).collect::<Vec<_>>()
    };
    assert_eq!(of(Vec::new().into()), ["No roles to tell of"]);
    assert_eq!(of(vec![role("hoop_ro")].into()), Vec::<String>::new());
    assert_eq!(of(Attr::Unknown), Vec::<String>::new());
}

/// At plan much is unknown, and nothing of it may be judged.
#[test]
fn what_is_not_known_yet_is_not_judged() {
    let open = Notification { webhook: Attr::Unknown, command: Attr::Null, ..notification() };
    assert_eq!(rules::problems(&open), []);
    let open = Webhook { url: Attr::Unknown, secret_wo: Attr::Unknown, svix: Attr::Unknown };
    let open = Notification { webhook: open.into(), ..notification() };
    assert_eq!(rules::problems(&open), []);
    assert!(is_news(&notification(), &Notification { results: Attr::Unknown, ..notification() }));
}

/// Some servers of Svix compare ids over all applications: the second one would never get its event.
#[test]
fn two_applications_of_svix_never_share_an_id() {
    let of = |application: &str| {
        let svix = Svix { app_id: application.to_owned().into() };
        let webhook = Webhook { svix: svix.into(), ..Webhook::default() };
        event_id(None, &Notification { webhook: webhook.into(), ..notification() })
    };
    assert_eq!(of("app_1"), of("app_1"));
    assert_ne!(of("app_1"), of("app_2"));
}

/// Receivers that have seen the first event would take the third for a repetition of it.
#[test]
fn going_back_to_what_was_told_before_is_another_event() {
    let first = event_id(None, &notification());
    let second = event_id(
        Some(&first),
        &Notification { triggers: BTreeMap::new().into(), results: vec![].into(), ..notification() },
    );
    let third = event_id(Some(&second), &notification());
    assert_ne!(first, third);
}

/// `uuid.uuid5(uuid.UUID("6f1d2a9c-4b7e-5d13-8a60-2e91c435f708"), name)` in Python, `name` as the code writes it.
#[test]
fn an_id_is_the_uuid_version_5_of_what_is_told() {
    assert_eq!(event_id(None, &notification()), "29ac5a66-0fd5-5295-a6b9-8db62ed7324c");
}

#[test]
fn a_role_is_in_order_when_coverage_and_credential_say_so() {
    let problem = |role: RoleResult| {
        let told = event(&Notification { results: vec![role].into(), ..notification() }, None, &target(), "", "");
        (told.status(), told.roles[0].problem.clone())
    };
    assert_eq!(problem(role("hoop_ro")), ("completed", None));
    assert_eq!(problem(RoleResult { coverage: Attr::Null, credential: Attr::Null, ..role("a") }), ("completed", None));
    let lacking =
        BTreeMap::from([("b".to_owned(), "missing SELECT".to_owned()), ("c".to_owned(), "complete".to_owned())]);
    let lacking = RoleResult { coverage: lacking.into(), credential: "locked".to_owned().into(), ..role("a") };
    assert_eq!(problem(lacking), ("failed", Some("b: missing SELECT, credential: locked".to_owned())));
}

#[test]
fn an_event_names_the_engine_as_rds_does_and_the_application_as_its_organization() {
    let svix = Webhook { svix: Svix { app_id: "1f0e".to_owned().into() }.into(), ..Webhook::default() };
    let planned = Notification { webhook: svix.into(), ..notification() };
    let told = event(&planned, None, &target(), "arn:aws:iam::1:user/a", "2026-01-05T10:00:00Z");
    assert_eq!((told.database.engine.as_str(), told.organization.as_str()), ("aurora-postgresql", "1f0e"));
    let edition = Target { rds_engine: "sqlserver-ee".to_owned(), engine: EngineKind::Sqlserver, ..target() };
    assert_eq!(event(&planned, None, &edition, "", "").database.engine, "sqlserver-ee");
    let with_tokens = RoleResult { auth: Auth::Iam.into(), ..role("a") };
    let planned = Notification { results: vec![with_tokens].into(), ..notification() };
    assert_eq!(event(&planned, None, &target(), "", "").roles[0].secret, SecretPlace::Tokens);
}

/// What the gateway calls the name of a database is `DBName` of RDS, and not its identifier.
#[test]
fn an_event_names_the_database_that_rds_made() {
    let named = Target { database_name: Some("customers".to_owned()), ..target() };
    assert_eq!(event(&notification(), None, &named, "", "").database.name, "customers");
    assert_eq!(event(&notification(), None, &target(), "", "").database.name, "");
}

proptest! {
    #[test]
    fn an_id_is_always_a_uuid_of_version_5(name in ".{0,40}", before in proptest::option::of(".{0,10}")) {
        let it = Notification { results: vec![role(&name)].into(), ..notification() };
        let id = event_id(before.as_deref(), &it);
        prop_assert_eq!(&id, &event_id(before.as_deref(), &it.clone()));
        prop_assert_eq!(id.len(), 36);
        prop_assert_eq!(id.as_bytes()[14], b'5');
        prop_assert!(b"89ab".contains(&id.as_bytes()[19]));
        let is_plain = id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase(),
        });
        prop_assert!(is_plain);
    }
}
