//! SQL Server 2016 to 2022 on RDS: one login per instance, one user per covered database, fixed database roles.
//!
//! | file | what it knows |
//! |---|---|
//! | `server` | the contract, and which call does what |
//! | `connect`, `tls` | sessions, their bound, the tunnel, certificates |
//! | `catalog` | what is there, read once per server and database |
//! | `check` | what is refused before anything is sent |
//! | `level`, `wanted` | what a level holds, what can be granted and what `grants` come to |
//! | `roles` (the login), `grants` (one database), `change`, `owned`, `plan` | the difference, in words and in statements: all pure |
//! | `lock`, `apply`, `drop` | the one writer, sending it, attempts, removal |
//! | `quote`, `password`, `error` | safe SQL, the one literal that SQL Server needs, classes of failures |
//!
//! Objects that a `ddl` role makes belong to the owner of their schema, not to the role. A schema that it makes belongs to
//! the role: before its user goes, `owned` gives the schema to `dbo`, and everybody's rights in it again.

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
mod owned;
mod password;
mod plan;
mod quote;
mod roles;
mod server;
mod tls;
mod wanted;

#[cfg(test)]
mod tests;

pub use check::{check_grant, check_role_name};
pub use password::check_password;
pub use server::SqlServer;
