//! What the provider offers, and its configuration.

use std::sync::Arc;

use tfplugin_proto::tfplugin6 as pb;

use crate::report::Report;
use crate::schema::plan::with_defaults;
use crate::schema::{Model, Provider, Reports, decode};

use super::{Service, codec, provider_kind, wire};

/// Terraform may keep the schema for the whole run, and makes destroy plans by itself.
fn capabilities() -> Option<pb::ServerCapabilities> {
    Some(pb::ServerCapabilities { get_provider_schema_optional: true, ..Default::default() })
}

pub(super) async fn metadata<P: Provider>(
    service: &Service<P>,
    _request: pb::get_metadata::Request,
) -> Result<pb::get_metadata::Response, Reports> {
    Ok(pb::get_metadata::Response {
        server_capabilities: capabilities(),
        resources: service
            .resources
            .keys()
            .map(|name| pb::get_metadata::ResourceMetadata { type_name: (*name).to_owned() })
            .collect(),
        data_sources: service
            .data_sources
            .keys()
            .map(|name| pb::get_metadata::DataSourceMetadata { type_name: (*name).to_owned() })
            .collect(),
        ephemeral_resources: service
            .ephemerals
            .keys()
            .map(|name| pb::get_metadata::EphemeralResourceMetadata { type_name: (*name).to_owned() })
            .collect(),
        functions: service
            .functions
            .keys()
            .map(|name| pb::get_metadata::FunctionMetadata { name: (*name).to_owned() })
            .collect(),
        ..Default::default()
    })
}

pub(super) async fn schema<P: Provider>(
    service: &Service<P>,
    _request: pb::get_provider_schema::Request,
) -> Result<pb::get_provider_schema::Response, Reports> {
    Ok(pb::get_provider_schema::Response {
        server_capabilities: capabilities(),
        provider: Some(wire::schema(0, P::Model::DOC, &P::Model::attributes(), false)),
        resource_schemas: service
            .resources
            .iter()
            .map(|(name, r)| ((*name).to_owned(), wire::schema(r.inner.version(), r.inner.doc(), &r.attributes, true)))
            .collect(),
        data_source_schemas: service
            .data_sources
            .iter()
            .map(|(name, d)| ((*name).to_owned(), wire::schema(0, d.inner.doc(), &d.attributes, false)))
            .collect(),
        ephemeral_resource_schemas: service
            .ephemerals
            .iter()
            .map(|(name, e)| ((*name).to_owned(), wire::schema(0, e.inner.doc(), &e.attributes, false)))
            .collect(),
        functions: function_schemas(service),
        ..Default::default()
    })
}

fn function_schemas<P: Provider>(service: &Service<P>) -> std::collections::BTreeMap<String, pb::Function> {
    service.functions.iter().map(|(name, f)| ((*name).to_owned(), wire::function(f))).collect()
}

pub(super) async fn functions<P: Provider>(
    service: &Service<P>,
    _request: pb::get_functions::Request,
) -> Result<pb::get_functions::Response, Reports> {
    Ok(pb::get_functions::Response { functions: function_schemas(service), ..Default::default() })
}

pub(super) async fn identity_schemas<P: Provider>(
    service: &Service<P>,
    _request: pb::get_resource_identity_schemas::Request,
) -> Result<pb::get_resource_identity_schemas::Response, Reports> {
    let identity_schemas = service
        .resources
        .iter()
        .map(|(name, r)| (*name, r.inner.identity_attributes()))
        .filter(|(_, attributes)| !attributes.is_empty())
        .map(|(name, attributes)| (name.to_owned(), wire::identity_schema(&attributes)))
        .collect();
    Ok(pb::get_resource_identity_schemas::Response { identity_schemas, ..Default::default() })
}

pub(super) async fn configure<P: Provider>(
    service: &Service<P>,
    request: pb::configure_provider::Request,
) -> Result<pb::configure_provider::Response, Reports> {
    let config = codec::decode(request.config.as_ref(), &provider_kind::<P>())?;
    let model: P::Model = decode(&with_defaults(&P::Model::attributes(), &config))?;
    let (context, warnings): (_, Vec<Report>) = service.provider.configure(&model, &request.terraform_version)?;
    *service.context.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(context));
    Ok(pb::configure_provider::Response { diagnostics: wire::diagnostics(warnings) })
}
