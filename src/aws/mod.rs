//! The only place that knows the AWS SDK: sessions for any account and region, and the calls that the provider makes.
//!
//! ```text
//! Settings -> Sessions (one per process, lazy, shared)
//!               |- caller, home_region, check_access, entry
//!               |- session(account, region) -> Session   credentials of the account, renewed
//!               |- inventory, describe, describe_now, modify_lock       rds/
//!               |- organization, account_tags                           organizations/
//!               |- security_groups, enabled_regions                     ec2/
//!               |- secrets                                              secrets.rs
//!               |- iam_token                                            token.rs
//!               |- identity_proof                                       identity.rs
//! ```
//!
//! One HTTP client serves all accounts (`http.rs`): connections are shared, the number of requests under way is bounded,
//! proxies are honoured. Every error is an [`Error`] that names action, account, region, object and role.

mod credentials;
pub mod ec2;
mod entry;
mod error;
mod fault;
mod http;
mod identity;
mod once;
pub mod organizations;
mod pace;
#[cfg(test)]
mod partition_tests;
mod profile;
pub mod rds;
mod retry;
#[cfg(test)]
mod scene;
pub mod secrets;
mod sessions;
pub mod settings;
mod token;
mod web_identity;

pub use entry::{Entry, EntryState};
pub use error::{Call, Error, Fault};
pub use identity::IdentityProof;
pub use sessions::{Caller, Session, Sessions};
pub use settings::Settings;
pub use token::IamToken;
pub use web_identity::WebIdentityFault;
