//! PostgreSQL, on RDS and Aurora, versions 12 and later.
//!
//! A level is held by a group without login, one per database and scope ([`group`]); a login is a member. Reading
//! ([`snapshot`], [`catalog`]) is apart from comparing ([`plan`], [`grants`], [`defaults`], [`roles`], all pure) and
//! from sending ([`apply`], [`drop`]). The administrator is no superuser: [`reach`] knows for whom it may act.

mod apply;
mod catalog;
mod change;
mod connect;
mod defaults;
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
mod tls;

pub use server::{Postgres, check_role_name};
