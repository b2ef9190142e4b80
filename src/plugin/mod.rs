//! Being a plugin process: everything between `exec` and the first call of the provider service.
//!
//! Terraform and OpenTofu start a provider as a child process, and they do so several times per command. The child says
//! on one line of its standard output where it listens and how to trust it ([`handshake`], [`tls`], [`socket`]), serves
//! gRPC on that address ([`listener`], [`server`], [`routes`]) with the small services that every plugin has ([`controller`],
//! [`stdio`], [`broker`], [`health`]), writes its log as JSON lines to standard error ([`logging`]), and ends when it
//! is told to, or when nobody is left to tell it ([`lifetime`], [`orphan`], [`signals`]).
//!
//! This module knows neither Terraform's messages nor AWS: [`run`] takes any gRPC service. The service has to lift its
//! own message limits to [`MESSAGE_LIMIT`], because only the generated server type can.

mod arguments;
mod broker;
mod calls;
mod controller;
mod environment;
mod error;
mod handshake;
mod health;
mod lifetime;
mod listener;
mod logging;
mod orphan;
mod panic;
mod process;
mod reattach;
mod routes;
mod server;
mod signals;
mod socket;
mod stdio;
mod tls;

pub use environment::Environment;
pub use error::Error;
pub use process::run;
pub use server::{MESSAGE_LIMIT, ProviderService};
