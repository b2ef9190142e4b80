//! A profile of the shared configuration files that the provider block names.

use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::{ProvideCredentials, future};

/// The credentials of a profile. It comes before keys in the environment, which the default chain looks at first, and no
/// role of an instance stands in for it. The files are read again at every renewal, so that a new login counts, and
/// because the SDK's own provider tells why it has none only once.
#[derive(Debug)]
pub(super) struct Profile {
    name: String,
    config: ProviderConfig,
}

impl Profile {
    /// Reads nothing but the region of the profile, where `config` has none.
    pub(super) async fn new(name: &str, config: ProviderConfig, region: Option<aws_config::Region>) -> Self {
        let region = match region {
            Some(region) => Some(region),
            None => DefaultRegionChain::builder().profile_name(name).build().region().await,
        };
        Self { name: name.to_owned(), config: config.with_region(region) }
    }
}

impl ProvideCredentials for Profile {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let builder = ProfileFileCredentialsProvider::builder().configure(&self.config).profile_name(&self.name);
        future::ProvideCredentials::new(async move { builder.build().provide_credentials().await })
    }
}
