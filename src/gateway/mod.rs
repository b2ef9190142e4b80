//! The client of the Hoop gateway's HTTP API: connections, who may use them, resources, agents.
//!
//! [`Gateway::new`] does nothing but keep its [`Settings`]; the HTTP client is built at the first call. Every call is
//! bounded in time and, where the HTTP method allows it, repeated after a transient failure. The gateway replaces a
//! connection as a whole, so [`Gateway::update_connection`] reads it first and sends back whatever it does not manage.
//! Secrets are in [`EnvValue`] and in the private part of [`Connection`]; neither prints them, and an answer of the
//! gateway that repeats one is cleaned before it becomes an error text.

mod agents;
mod client;
mod connection;
mod connections;
mod env;
mod error;
mod genuine;
mod groups;
mod notes;
mod reference;
mod resources;
mod retry;
mod settings;
mod shared;
mod spec;

pub use agents::{Agent, AgentStatus};
pub use client::{Gateway, encoded};
pub use connection::{Connection, Creation, Env, EnvState, ListedConnection};
pub use env::{DB, EnvValue, HOST, PASS, PORT, TlsState, USER, endpoint_env, iam_env, subtype, tls_state};
pub use error::{Call, Error, Kind};
pub use notes::{Made, Notes};
pub use reference::{IAM_MARKER, Reference};
pub use resources::{GatewayResource, Removal};
pub use retry::{Jitter, Retry};
pub use settings::{BaseUrl, Settings, Token, TokenKind};
pub use spec::{
    AccessModes, ConnectionSpec, DATABASE_TAG, LONGEST_RESOURCE_NAME, MANAGED_TAG, MOST_TAGS, Setting, mark_tags,
};
