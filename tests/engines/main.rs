//! The engines against real database servers, started for each test on loopback.
// The whole crate is a test; functions without #[test] may fail as loudly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod conformance;
mod figures;
mod iam;
mod iam_botocore;
mod iam_rig;
mod installed;
mod mysql;
mod postgres;
mod proxy;
mod server_mariadb;
mod server_postgres;
mod server_sqlserver;
mod sqlserver;
