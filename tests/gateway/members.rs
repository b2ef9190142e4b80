//! Agents, and the groups that may use a connection.

use std::collections::BTreeSet;

use rdsaccess::gateway::{AgentStatus, Kind};
use serde_json::json;

use crate::rig::Rig;

#[tokio::test]
async fn agents_are_listed_and_found_by_name_and_by_id() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    rig.steer("POST", "agents", json!({"name": "edge/eu 1"})).await;
    rig.steer("POST", "agents", json!({"name": "hidden", "mode": "multi-connection"})).await;
    let agents = gateway.agents().await.unwrap();
    let shown: Vec<_> = agents.iter().map(|a| (a.name.as_str(), a.status)).collect();
    assert_eq!(shown, [("edge/eu 1", AgentStatus::Disconnected), ("lab", AgentStatus::Connected)]);
    assert_eq!(gateway.agent("edge/eu 1").await.unwrap().as_ref(), Some(&agents[0]));
    assert_eq!(gateway.agent(&agents[1].id).await.unwrap().as_ref(), Some(&agents[1]));
    assert_eq!(gateway.agent("nobody").await.unwrap(), None);
}

#[tokio::test]
async fn an_agent_is_looked_up_once_and_one_that_is_missing_again() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let asked = async || {
        let all = futures_util::future::join_all((0..10).map(|_| gateway.agent("late"))).await;
        all.into_iter().map(|found| found.unwrap().is_some()).collect::<BTreeSet<_>>()
    };
    rig.forget_log().await;
    assert_eq!(asked().await, BTreeSet::from([false]));
    let missing = rig.calls().await.into_iter().filter(|call| call == "GET /api/agents/late 404").count();
    assert_eq!(missing, 1, "who asks at the same time shares the call");
    rig.steer("POST", "agents", json!({"name": "late"})).await;
    rig.fault(json!({"status": 401, "path": "/api/agents/late"})).await;
    rig.forget_log().await;
    assert!(gateway.agent("late").await.is_err());
    assert_eq!(asked().await, BTreeSet::from([true]), "neither an absence nor a failure is kept");
    assert_eq!(asked().await, BTreeSet::from([true]));
    assert_eq!(rig.calls().await, ["GET /api/agents/late 401", "GET /api/agents/late 200"]);
}

#[tokio::test]
async fn who_may_not_look_at_access_control_is_told_neither_yes_nor_no() {
    let rig = Rig::start();
    assert_eq!(rig.gateway().has_access_control().await.unwrap(), Some(false));
    rig.toggle("access_control", true).await;
    assert_eq!(rig.gateway().has_access_control().await.unwrap(), Some(true));
    rig.fault(json!({"status": 403})).await;
    assert_eq!(rig.gateway().has_access_control().await.unwrap(), None);
    rig.fault(json!({"status": 401})).await;
    assert!(rig.gateway().has_access_control().await.is_err());
}

#[tokio::test]
async fn one_listing_serves_all_whose_agents_are_in_it() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let asked = async |name: &str| {
        let wanted = BTreeSet::from([name.to_owned()]);
        let all = futures_util::future::join_all((0..10).map(|_| gateway.agents_among(&wanted))).await;
        all.into_iter().map(|listed| listed.unwrap().iter().any(|agent| agent.is(name))).collect::<BTreeSet<_>>()
    };
    let listings = async || {
        let calls = rig.calls().await.into_iter().filter(|call| call == "GET /api/agents 200").count();
        rig.forget_log().await;
        calls
    };
    rig.fault(json!({"status": 401, "path": "/api/agents"})).await;
    assert!(gateway.agents_among(&BTreeSet::from(["lab".to_owned()])).await.is_err());
    assert_eq!((asked("lab").await, asked("lab").await), (BTreeSet::from([true]), BTreeSet::from([true])));
    assert_eq!(listings().await, 1, "a failure is not kept, and a list is");

    assert_eq!(asked("late").await, BTreeSet::from([false]));
    assert_eq!(listings().await, 2, "who came while one was asking asks again, together");
    rig.steer("POST", "agents", json!({"name": "late"})).await;
    assert_eq!((asked("late").await, asked("lab").await), (BTreeSet::from([true]), BTreeSet::from([true])));
    assert_eq!(listings().await, 1, "an absence is not kept");
}

#[tokio::test]
async fn an_answer_of_before_does_not_hide_an_agent_that_was_made_since() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let (lab, late) = (BTreeSet::from(["lab".to_owned()]), BTreeSet::from(["late".to_owned()]));
    rig.fault(json!({"path": "/api/agents", "delay": 0.5, "status": 200, "body": []})).await;
    let begun = async {
        tokio::task::yield_now().await;
        rig.steer("POST", "agents", json!({"name": "late"})).await;
        gateway.agents_among(&late).await.unwrap()
    };
    let (_, listed) = tokio::join!(gateway.agents_among(&lab), begun);
    assert!(listed.iter().any(|agent| agent.is("late")), "{listed:?}");
}

#[tokio::test]
async fn the_plugin_is_asked_for_until_it_is_on() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let asked = async || {
        let all = futures_util::future::join_all((0..10).map(|_| gateway.has_access_control())).await;
        all.into_iter().map(Result::unwrap).collect::<BTreeSet<_>>()
    };
    assert_eq!(asked().await, BTreeSet::from([Some(false)]));
    rig.fault(json!({"status": 403})).await;
    assert_eq!(gateway.has_access_control().await.unwrap(), None);
    rig.toggle("access_control", true).await;
    rig.forget_log().await;
    assert_eq!((asked().await, asked().await), (BTreeSet::from([Some(true)]), BTreeSet::from([Some(true)])));
    assert_eq!(rig.calls().await, ["GET /api/plugins/access_control 200"]);
}

#[tokio::test]
async fn groups_need_the_plugin_and_are_set_read_and_cleared_for_one_connection() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let made = gateway.create_connection(&rig.spec("ledger-ro").await).await.unwrap();
    let other = gateway.create_connection(&rig.spec("ledger-rw").await).await.unwrap();
    let groups = BTreeSet::from(["dba".to_owned(), "sre".to_owned()]);
    assert_eq!(gateway.groups(&made).await.unwrap(), None);
    gateway.clear_groups(&made).await.unwrap();
    let error = gateway.set_groups(&made, &groups).await.unwrap_err();
    assert_eq!(error.kind, Kind::AccessControlOff);
    assert_eq!(error.call.connection.as_deref(), Some("ledger-ro"));
    let error = gateway.require_access_control("ledger-ro").await.unwrap_err();
    assert_eq!((error.kind, error.call.method), (Kind::AccessControlOff, "GET"));

    rig.toggle("access_control", true).await;
    gateway.require_access_control("ledger-ro").await.unwrap();
    gateway.set_groups(&other, &BTreeSet::from(["all".to_owned()])).await.unwrap();
    gateway.set_groups(&made, &groups).await.unwrap();
    assert_eq!(gateway.groups(&made).await.unwrap(), Some(groups));
    gateway.clear_groups(&made).await.unwrap();
    assert_eq!(gateway.groups(&made).await.unwrap(), None);
    assert_eq!(gateway.groups(&other).await.unwrap(), Some(BTreeSet::from(["all".to_owned()])));
}
