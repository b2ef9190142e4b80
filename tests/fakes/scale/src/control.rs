//! The control API beside AWS: `GET` and `DELETE /control/counters`, `GET` and `PUT /control/settings`, and
//! `GET /control/accounts` with the ids of all member accounts.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::door::Server;

pub(crate) async fn counters(State(server): State<Arc<Server>>) -> Response {
    json(&server.counters.show())
}

pub(crate) async fn forget_counters(State(server): State<Arc<Server>>) -> Response {
    server.counters.forget();
    json(&server.counters.show())
}

pub(crate) async fn settings(State(server): State<Arc<Server>>) -> Response {
    json(&server.world().settings)
}

pub(crate) async fn change_settings(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    match server.world().settings.changed(&body) {
        Ok(settings) => {
            server.change(settings);
            json(&server.world().settings)
        }
        Err(why) => (StatusCode::BAD_REQUEST, why.to_string()).into_response(),
    }
}

pub(crate) async fn accounts(State(server): State<Arc<Server>>) -> Response {
    let organization = &server.world().organization;
    json(&(1..=organization.accounts).map(|number| organization.account_id(number)).collect::<Vec<_>>())
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([("content-type", "application/json")], text).into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.to_string()).into_response(),
    }
}
