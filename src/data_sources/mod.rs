//! Data sources: one folder each.

mod accounts;
mod agents;
mod instances;
mod shard;

pub use accounts::AccountsDataSource;
pub use agents::AgentsDataSource;
pub use instances::InstancesDataSource;
