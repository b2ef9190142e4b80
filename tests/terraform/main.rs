//! Acceptance tests: the real `terraform` and our provider, against a fake AWS, real databases and a gateway.
//!
//! | module       | what it is for                                                                     |
//! |--------------|------------------------------------------------------------------------------------|
//! | `rig`        | starts and stops everything a test needs; asks and orders things of the fake AWS   |
//! | `wish`       | what a test wants to exist: accounts, databases                                    |
//! | `namespace`  | runs programs where the RDS host names resolve                                     |
//! | `workspace`  | a directory with a configuration, and the Terraform commands in it                 |
//! | `leaks`      | looks for secrets in what a run leaves, in every form that programs give them       |
//! | `gateway`    | starts the stand-in of the gateway and steers it                                   |
//! | `receiver`   | takes webhooks and answers as it is told to                                        |
//! | `agent`      | what the gateway's agent does: resolves references in its own account, and logs in |
//! | `sql`        | logins and statements through `psql` and `mariadb`                                 |
//! | `tds`        | logins to SQL Server                                                               |
//! | `token`      | tokens of IAM authentication, made by botocore                                     |
//! | `connection*` | the tests of `rdsaccess_connection`                                               |
//! | `notification*` | the tests of `rdsaccess_notification`                                            |
//! | `access`     | the tests of roles and connections together                                        |
//! | `aws_connect` | the tests of the module for one database                                       |
//! | `fixture`    | tables, secrets and processes that several tests of roles need                       |
//! | `departed`   | accounts that are suspended, closed, or no longer in the organization              |
//! | `crowd`      | other people at work on a server, and what a server and a provider process hold       |
//! | `kv`         | asks the stand-in for Vault as somebody else does                                  |
//! | `least_privilege` | the documents of `rdsaccess_policy` are enough, and nothing in them is too much |
//! | `vault`      | secrets in Vault, from create to destroy                                            |
//! | `guides`     | what the pages of docs/guides show is valid                                        |
//! | `hub`        | who the provider is: web identity, profiles, SSO, metadata services, roles, renewal |
//! | `package`    | the release as clients take it: packed, installed from a filesystem mirror            |
//! | `*_tests`    | the tests of the support                                                           |
//!
//! `scripts/install` brings what they need.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the support modules run only inside tests, where a panic is the report"
)]

mod access;
mod agent;
mod aws_connect;
mod aws_connect_boundary;
mod blocks;
mod connection;
mod connection_agents;
mod connection_attributes;
mod connection_copy;
mod connection_failures;
mod connection_names;
mod connection_others;
mod connection_rows;
mod connection_tls;
mod connection_turns;
mod credential_drift;
mod crowd;
mod departed;
mod discovery;
mod ephemeral;
mod faults;
mod fixture;
mod gateway;
mod guides;
mod hub;
mod identity;
mod killed;
mod kv;
mod leaks;
mod least_privilege;
mod master_credential;
mod master_credential_kills;
mod master_credential_managed;
mod master_credential_managed_repairs;
mod master_credential_refusals;
mod migration;
mod mixed;
mod namespace;
mod notification;
mod notification_failures;
mod notification_keys;
mod offline;
mod opentofu;
mod organization;
mod package;
mod parallel;
mod password_wo;
mod policy;
#[path = "../fakes/receiver.rs"]
mod receiver;
mod rig;
mod rig_tests;
mod role;
mod role_auth;
mod role_failures;
mod role_repair;
mod role_store;
mod role_terms;
mod rotation;
mod rotation_age;
mod scale;
mod scale_plan;
mod schema;
mod secrets;
mod security_group;
mod sql;
mod tds;
mod token;
mod turns;
mod vault;
mod wish;
mod workspace;
mod workspace_tests;
