//! The top floor: the provider block, from what is written to what it means, and the list of everything offered.

mod config;
mod hub;
mod model;
mod registry;
mod variables;
mod vault;

pub use model::ProviderModel;
pub use registry::Rdsaccess;
pub use variables::Variables;
