//! A provider process that is configured for the fake AWS and asked for data.

use serde_json::{Value, json};
use tfplugin_proto::tfplugin6::{Diagnostic, DynamicValue, configure_provider, read_data_source};

use super::fake::{FakeAws, HUB_KEY};
use crate::client::Plugin;

/// A configured provider.
pub(crate) struct Provider {
    plugin: Plugin,
}

impl Provider {
    /// Starts a provider for this AWS, with these attributes more in its block.
    pub(crate) async fn start(aws: &FakeAws, more: &Value) -> Self {
        let plugin = Plugin::start_with(&[("AWS_EC2_METADATA_DISABLED", "true")]).await;
        let endpoints: serde_json::Map<String, Value> =
            ["rds", "ec2", "sts", "organizations"].iter().map(|name| ((*name).to_owned(), json!(aws.url))).collect();
        let mut config = json!({
            "region": "us-east-1", "access_key": HUB_KEY, "secret_key": "not looked at", "endpoints": endpoints,
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = configure_provider::Request { config: Some(dynamic(&config)), ..Default::default() };
        let response = plugin.client().configure_provider(request).await.unwrap().into_inner();
        assert_eq!(errors(&response.diagnostics), Vec::<String>::new());
        Self { plugin }
    }

    /// Reads a data source; the texts of its errors when it fails.
    pub(crate) async fn read(&self, name: &str, config: &Value) -> Result<rmpv::Value, Vec<String>> {
        let config = Some(dynamic(config));
        let request = read_data_source::Request { type_name: name.to_owned(), config, ..Default::default() };
        let response = self.plugin.client().read_data_source(request).await.unwrap().into_inner();
        let errors = errors(&response.diagnostics);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(rmpv::decode::read_value(&mut response.state.unwrap().msgpack.as_slice()).unwrap())
    }

    /// The most memory that the process ever held, in MiB.
    pub(crate) fn peak_memory(&mut self) -> u64 {
        let pid = self.plugin.child().id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a high-water mark");
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
    }
}

/// The entries of a map of a result, by key.
pub(crate) fn entries<'a>(result: &'a rmpv::Value, name: &str) -> impl Iterator<Item = (&'a str, &'a rmpv::Value)> {
    let map = field(result, name).as_map().expect("a map");
    map.iter().map(|(key, value)| (key.as_str().expect("text"), value))
}

/// The attribute of an object.
pub(crate) fn field<'a>(object: &'a rmpv::Value, name: &str) -> &'a rmpv::Value {
    let found = object.as_map().expect("an object").iter().find(|(key, _)| key.as_str() == Some(name));
    &found.expect("the attribute is there").1
}

/// The elements of a set of texts.
pub(crate) fn texts(list: &rmpv::Value) -> Vec<&str> {
    list.as_array().expect("a set").iter().map(|text| text.as_str().expect("text")).collect()
}

fn dynamic(value: &Value) -> DynamicValue {
    DynamicValue { msgpack: Vec::new(), json: value.to_string().into_bytes() }
}

fn errors(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|one| format!("{}: {}", one.summary, one.detail)).collect()
}
