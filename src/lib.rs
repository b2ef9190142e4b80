//! Terraform and OpenTofu provider for controlled access to the RDS databases of an AWS Organization.
//!
//! Terraform starts the program (`main.rs`) two to four times per command and speaks protocol 6 to it over gRPC. One
//! process serves one provider block, which is enough for all accounts: the database is an argument of each resource.
//!
//! # How one request flows
//!
//! `terraform apply` changes an `rdsaccess_role`; this is `ApplyResourceChange`, from the socket to the server and back:
//!
//! ```text
//! Terraform ── gRPC, mutual TLS ──▶ plugin       the listener lets in who holds the pinned certificate
//!                                    │
//!                                 protocol       service/apply.rs decodes the message into a Value and finds the object
//!                                    │
//!                                 schema         any_resource decodes the Value into the typed model, sets the time limit
//!                                    │
//!                                 resources/role says what should be, reads what is, compares purely, takes the steps
//!                                    │
//!                                 context        which account's session, which engine, which store: opened when needed
//!                       ┌────────────┼────────────┬────────────┐
//!                     store        engine        aws        gateway
//!                  keeps the     SQL, quoted   sessions,    the connection of
//!                  password as   by a type     calls, pace  the access gateway
//!                  pending       per engine
//! ```
//!
//! On the way back the changes to the typed model are laid over the raw planned value, so that what the resource did not
//! touch keeps its notation; errors become diagnostics at one place (`protocol/wire.rs`), each a [`report::Report`] with what
//! failed, why, and the next step. Read, plan and import take the same way, and plan stops before anything changes.
//!
//! What to know before changing it:
//!
//! - Every step can be repeated from what is observed, because a process can be killed between any two: see
//!   [`store`] for the order of a new password.
//! - Neither plan nor apply looks at a clock to decide; clock and random numbers come from the [`context`].
//! - A [`Secret`](access::Secret) has no `Display` and never enters a `Value` that is not write-only or ephemeral.
//! - An attribute is declared once, in `model.rs` of its object; schema, checks, plan and page follow: see [`schema`].
//!
//! # Layout
//!
//! An import only ever points down this table; modules of one row do not know each other, but for the pairs that
//! `tests/golden/house.rs` names, which checks it. `DESIGN.md` has the reasons.
//!
//! | module | what stands there |
//! |---|---|
//! | [`provider`] | the provider block: from raw values to settings; the list of everything that is offered |
//! | [`plugin`] | being a plugin process: handshake, mutual TLS, listener, log, debugger, end |
//! | [`protocol`] | Terraform's protocol 6: one file per call, MessagePack and JSON, schema and diagnostics on the wire |
//! | [`resources`] | a folder per resource, the same file names in each: model, rules, plan, steps, error |
//! | [`data_sources`] | a folder per data source: accounts, instances, agents, IAM policies |
//! | [`ephemeral`] | what leaves no trace in state: IAM tokens, secrets |
//! | [`functions`] | pure functions: names, ARNs, URIs |
//! | [`context`] | what an object may use: sessions, servers, stores, gateway, clock, random numbers |
//! | [`store`] | where secrets live, and the order in which a password becomes current; Secrets Manager, Vault |
//! | [`engine`] | database servers, by the same file names: PostgreSQL, MySQL and MariaDB, SQL Server |
//! | [`aws`] | sessions of every account, discovery, RDS, security groups, secrets, throttling |
//! | [`gateway`] | the API of the access gateway, and the notations of its agent |
//! | [`network`] | which certificates are trusted, and the HTTP client |
//! | [`notify`] | telling others: webhooks and commands |
//! | [`schema`] | declaring an attribute once; typed models, plan, validation, pages |
//! | [`access`] | the domain's words: ARNs, names, levels, grants, secrets, rotation |
//! | [`report`] | errors as sentences |
//! | [`value`] | values with null and unknown, exact numbers, types, paths |

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
