//! Data sources: one folder each.

mod instances;

pub use instances::InstancesDataSource;
