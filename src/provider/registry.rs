//! THE list of everything that the provider offers.

use crate::context::Context;
use crate::data_sources::{AccountsDataSource, AgentsDataSource, InstancesDataSource, PolicyDataSource};
use crate::ephemeral::{IamToken, SecretValue};
use crate::functions;
use crate::report::Report;
use crate::resources::{ConnectionResource, MasterCredentialResource, RoleResource, SecurityGroupResource};
use crate::schema::{AnyDataSource, AnyEphemeral, AnyResource, Function, Provider, Reports};

use super::config;
use super::model::ProviderModel;
use super::variables::Variables;

/// The provider `rdsaccess`.
#[derive(Debug, Clone, Default)]
pub struct Rdsaccess {
    variables: Variables,
}

impl Rdsaccess {
    /// A provider that falls back to these environment variables.
    pub fn new(variables: Variables) -> Self {
        Self { variables }
    }
}

impl Provider for Rdsaccess {
    type Context = Context;
    type Model = ProviderModel;

    fn resources(&self) -> Vec<Box<dyn AnyResource<Context>>> {
        vec![
            Box::new(ConnectionResource),
            Box::new(MasterCredentialResource),
            Box::new(RoleResource),
            Box::new(SecurityGroupResource),
        ]
    }

    fn data_sources(&self) -> Vec<Box<dyn AnyDataSource<Context>>> {
        vec![
            Box::new(AccountsDataSource),
            Box::new(AgentsDataSource),
            Box::new(InstancesDataSource),
            Box::new(PolicyDataSource),
        ]
    }

    fn ephemerals(&self) -> Vec<Box<dyn AnyEphemeral<Context>>> {
        vec![Box::new(IamToken), Box::new(SecretValue)]
    }

    fn functions(&self) -> Vec<Function> {
        functions::all()
    }

    fn validate(&self, config: &ProviderModel) -> Vec<Report> {
        config::validate(config)
    }

    fn configure(&self, config: &ProviderModel, _client_version: &str) -> Result<(Context, Vec<Report>), Reports> {
        config::resolve(config, &self.variables)
    }
}
