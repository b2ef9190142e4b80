//! What a provider offers, as the protocol sees it.

use crate::report::Report;

use super::any_resource::AnyResource;
use super::data_source::AnyDataSource;
use super::ephemeral::AnyEphemeral;
use super::function::Function;
use super::model::Model;
use super::reports::Reports;

/// A provider: the list of what is offered, and the way from the provider block to the context of every call.
pub trait Provider: Send + Sync + 'static {
    /// What the provider block is resolved to.
    type Context: Send + Sync + 'static;
    /// The provider block.
    type Model: Model;

    /// Resources.
    fn resources(&self) -> Vec<Box<dyn AnyResource<Self::Context>>>;
    /// Data sources.
    fn data_sources(&self) -> Vec<Box<dyn AnyDataSource<Self::Context>>>;
    /// Ephemeral resources.
    fn ephemerals(&self) -> Vec<Box<dyn AnyEphemeral<Self::Context>>>;
    /// Functions.
    fn functions(&self) -> Vec<Function>;

    /// Rules that need no network; unknown attributes are not judged.
    fn validate(&self, config: &Self::Model) -> Vec<Report>;

    /// Resolves the provider block; makes no network call. At plan the block may hold unknown values.
    ///
    /// # Errors
    /// What does not fit together.
    fn configure(&self, config: &Self::Model, client_version: &str) -> Result<(Self::Context, Vec<Report>), Reports>;
}
