//! Data sources: one folder each.

mod agents;
mod instances;

pub use agents::AgentsDataSource;
pub use instances::InstancesDataSource;
