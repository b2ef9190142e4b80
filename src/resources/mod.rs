//! Resources: one folder each, with the same file names.

mod connection;
mod security_group;

pub use connection::ConnectionResource;
pub use security_group::SecurityGroupResource;
