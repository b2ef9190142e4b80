//! Resources: one folder each, with the same file names.

mod master_credential;
mod security_group;

pub use master_credential::MasterCredentialResource;
pub use security_group::SecurityGroupResource;
