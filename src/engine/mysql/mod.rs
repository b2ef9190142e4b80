//! MySQL 5.7 to 9, Aurora MySQL and MariaDB 10.4 to 11: direct grants on whole databases, no roles.
//!
//! | file | what it knows |
//! |---|---|
//! | `server` | the contract, and which call does what |
//! | `connect` | sessions, their bound, certificates |
//! | `catalog`, `named` | what is there, read once per server; the tables and routines that `grants` name |
//! | `check` | what is refused before anything is sent |
//! | `wanted`, `grants`, `terms`, `roles`, `memberships`, `powers`, `change`, `plan` | what should be, and the difference, in words and SQL: all pure |
//! | `level`, `pattern`, `password` | what a level holds, how grants name databases, hashes |
//! | `lock`, `apply`, `drop` | the one writer, sending it, attempts, removal |
//! | `quote`, `error` | safe SQL, classes of failures |

mod apply;
mod catalog;
mod change;
mod check;
mod connect;
mod drop;
mod error;
mod grants;
mod level;
mod lock;
mod memberships;
mod named;
mod password;
mod pattern;
mod plan;
mod powers;
mod quote;
mod roles;
mod server;
mod terms;
mod wanted;

#[cfg(test)]
mod tests;

pub use check::{check_grant, check_role_name};
pub use password::check_password;
pub use server::Mysql;
