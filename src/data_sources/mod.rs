//! Data sources: one folder each.

mod accounts;
mod instances;

pub use accounts::AccountsDataSource;
pub use instances::InstancesDataSource;
