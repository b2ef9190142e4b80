//! One suite over every store of secrets, and what only Vault has.
//!
//! | module    | what it is for                                                                              |
//! |-----------|---------------------------------------------------------------------------------------------|
//! | `bench`   | a store to test, what others see of it, and faults for it                                     |
//! | `servers` | starts the fake AWS and the stand-in for Vault and steers them                               |
//! | `cases`   | what every store must do; `suite` runs each case over each store                             |
//! | `layout`  | hvac and boto3 read back what the stores wrote                                               |
//! | `read_version` | what Vault gives for each stage                                                      |
//! | `vault`   | logins, renewal, namespaces, policies, TLS, faults                                           |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod bench;
mod cases;
mod layout;
mod read_version;
mod servers;
mod suite;
mod vault;
