//! What must not change by accident: the floors of the house, the size of files, the schema, the registry's pages.

// The whole crate is a test; what stands outside of #[test] functions may fail as loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod connect;
mod docs;
mod hook;
mod house;
mod permissions;
mod schema;
mod scripts;
mod secrets;
mod switch;
mod workflows;
