//! Terraform provider for controlled access to RDS databases.

// The futures of the AWS SDK are nested deeply. How deep the compiler looks at once depends on what an incremental build
// has kept of the one before: with the default some of them fail.
#![recursion_limit = "256"]

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
