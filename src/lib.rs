//! Terraform provider for controlled access to RDS databases.
pub mod access;
pub mod aws;
pub mod context;
pub mod data_sources;
pub mod engine;
pub mod ephemeral;
pub mod functions;
pub mod gateway;
#[cfg(test)]
#[path = "../tests/golden/switch.rs"]
mod golden;
pub mod network;
pub mod notify;
pub mod plugin;
pub mod protocol;
pub mod provider;
pub mod report;
pub mod resources;
pub mod schema;
pub mod store;
pub mod value;
