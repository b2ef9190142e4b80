//! Resources: one folder each, with the same file names.

mod security_group;

pub use security_group::SecurityGroupResource;
