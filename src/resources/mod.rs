//! Managed resources: one folder each.

mod connection;

pub use connection::ConnectionResource;
