//! PostgreSQL, on RDS and Aurora, versions 12 and later.
//!
//! A level is held by a group without login, one per database and scope (`group`); a login is a member. Reading
//! (`snapshot`, `catalog`) is apart from comparing (`plan`, `grants`, `defaults`, `roles`: all pure) and from sending
//! (`apply`, `drop`). The administrator is no superuser: `reach` knows for whom it may act.
//!
//! The login itself holds the single rights of `grants` (`direct`). What it holds within its level is left alone; what
//! is beyond both is taken back, also in databases that it no longer covers. What was passed on goes with the right to
//! pass it on.
//!
//! | file | what it knows |
//! |---|---|
//! | `server` | the contract, and how its calls find what they need |
//! | `connect`, `tls`, `lock` | sessions, their bound, certificates, the one writer |
//! | `catalog`, `snapshot` | what is there, read once per server and database |
//! | `check` | what is refused before anything is sent |
//! | `level`, `group`, `wanted` | what a level holds, which group holds it, and what `grants` come to |
//! | `reach` | memberships, and the ways to act for another role |
//! | `grants`, `direct`, `defaults`, `roles`, `terms`, `public`, `change`, `plan` | the difference, in words and in statements |
//! | `apply`, `drop`, `cancel` | transactions, attempts, removal, what is stopped halfway |
//! | `quote`, `password`, `error` | safe SQL, verifiers, classes of failures |

mod apply;
mod cancel;
mod catalog;
mod change;
mod check;
mod connect;
mod defaults;
mod direct;
mod drop;
mod error;
mod grants;
mod group;
mod level;
mod lock;
mod password;
mod plan;
mod public;
mod quote;
mod reach;
mod roles;
mod server;
mod snapshot;
mod terms;
pub(super) mod tls;
mod wanted;

#[cfg(test)]
mod tests;

pub use check::{check_grant, check_role_name};
pub use password::check_password;
pub use server::Postgres;
