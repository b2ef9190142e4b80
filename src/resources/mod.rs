//! Resources: one folder each, with the same file names.

mod connection;
mod import;
mod lost;
mod master_credential;
mod notification;
mod role;
mod rotation;
mod security_group;

pub use connection::ConnectionResource;
pub use master_credential::MasterCredentialResource;
pub use notification::NotificationResource;
pub use role::RoleResource;
pub use security_group::SecurityGroupResource;
