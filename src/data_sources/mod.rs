//! Data sources: one folder each.

mod accounts;
mod agents;
mod instances;
pub mod policy;
mod shard;
mod tags;

pub use accounts::AccountsDataSource;
pub use agents::AgentsDataSource;
pub use instances::InstancesDataSource;
pub use policy::PolicyDataSource;
