//! Acceptance tests: the real `terraform` and our provider, against a fake AWS, real databases and a gateway.
//!
//! | module       | what it is for                                                                     |
//! |--------------|------------------------------------------------------------------------------------|
//! | `rig`        | starts and stops everything a test needs; asks and orders things of the fake AWS   |
//! | `wish`       | what a test wants to exist: accounts, databases                                    |
//! | `namespace`  | runs programs where the RDS host names resolve                                     |
//! | `workspace`  | a directory with a configuration, and the Terraform commands in it                 |
//! | `sql`        | logins and statements through `psql` and `mariadb`                                 |
//! | `*_tests`    | the tests                                                                          |
//!
//! `scripts/install` brings what they need.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the support modules run only inside tests, where a panic is the report"
)]

mod blocks;
mod master_credential;
mod master_credential_kills;
mod namespace;
mod rig;
mod rig_tests;
mod security_group;
mod sql;
mod wish;
mod workspace;
mod workspace_tests;
