//! The provider binary from outside, without Terraform: as a process, and over gRPC.
//!
//! [`client::Plugin`] is the simplest way to talk to the provider service; [`host::Host`] plays the program that starts
//! plugins, with everything that belongs to that. The codec of values is compared with one that we did not write.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod client;
mod host;

mod by_hand;
mod codec;
mod handshake;
mod lifetime;
mod log;
mod messages;
mod mutual_tls;
mod reattach;
mod scale;
