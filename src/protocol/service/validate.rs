//! Validation: no network, unknown values are normal.

use tfplugin_proto::tfplugin6 as pb;

use crate::schema::{Provider, Reports, validate};

use super::{Service, codec, provider_kind, wire};

pub(super) async fn provider<P: Provider>(
    service: &Service<P>,
    request: pb::validate_provider_config::Request,
) -> Result<pb::validate_provider_config::Response, Reports> {
    let config = codec::decode(request.config.as_ref(), &provider_kind::<P>())?;
    let (model, mut reports) = validate::<P::Model>(&config, false);
    reports.extend(service.provider.validate(&model));
    Ok(pb::validate_provider_config::Response { diagnostics: wire::diagnostics(reports) })
}

pub(super) async fn resource<P: Provider>(
    service: &Service<P>,
    request: pb::validate_resource_config::Request,
) -> Result<pb::validate_resource_config::Response, Reports> {
    let resource = service.resource(&request.type_name)?;
    let config = resource.decode(request.config.as_ref())?;
    let write_only = request.client_capabilities.is_some_and(|c| c.write_only_attributes_allowed);
    let diagnostics = wire::diagnostics(resource.inner.validate(&config, write_only));
    Ok(pb::validate_resource_config::Response { diagnostics })
}

pub(super) async fn data_source<P: Provider>(
    service: &Service<P>,
    request: pb::validate_data_resource_config::Request,
) -> Result<pb::validate_data_resource_config::Response, Reports> {
    let data_source = service.data_source(&request.type_name)?;
    let config = data_source.decode(request.config.as_ref())?;
    let diagnostics = wire::diagnostics(data_source.inner.validate(&config));
    Ok(pb::validate_data_resource_config::Response { diagnostics })
}

pub(super) async fn ephemeral<P: Provider>(
    service: &Service<P>,
    request: pb::validate_ephemeral_resource_config::Request,
) -> Result<pb::validate_ephemeral_resource_config::Response, Reports> {
    let ephemeral = service.ephemeral(&request.type_name)?;
    let config = ephemeral.decode(request.config.as_ref())?;
    let diagnostics = wire::diagnostics(ephemeral.inner.validate(&config));
    Ok(pb::validate_ephemeral_resource_config::Response { diagnostics })
}
