//! The engines against real database servers, started for each test on loopback.
// The whole crate is a test; functions without #[test] may fail as loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod conformance;
mod mysql;
mod postgres;
mod server_mariadb;
mod server_postgres;
mod server_sqlserver;
mod sqlserver;
