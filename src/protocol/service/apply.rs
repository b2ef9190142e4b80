//! Create, update and delete.

use tfplugin_proto::tfplugin6 as pb;

use crate::schema::{ApplyRequest, Provider, Reports};

use super::{Service, private, wire};

pub(super) async fn apply<P: Provider>(
    service: &Service<P>,
    request: pb::apply_resource_change::Request,
) -> Result<pb::apply_resource_change::Response, Reports> {
    let unchanged = |Reports(reports): Reports| pb::apply_resource_change::Response {
        new_state: request.prior_state.clone(),
        private: request.planned_private.clone(),
        diagnostics: wire::diagnostics(reports),
        ..Default::default()
    };
    match run(service, &request).await {
        Ok(response) => Ok(response),
        Err(reports) => Ok(unchanged(reports)),
    }
}

async fn run<P: Provider>(
    service: &Service<P>,
    request: &pb::apply_resource_change::Request,
) -> Result<pb::apply_resource_change::Response, Reports> {
    let resource = service.resource(&request.type_name)?;
    let context = service.context()?;
    let apply = ApplyRequest {
        config: resource.decode(request.config.as_ref())?,
        prior: resource.decode(request.prior_state.as_ref())?,
        planned: resource.decode(request.planned_state.as_ref())?,
        private: private(&request.planned_private),
        stop: service.stop.child_token(),
    };
    let (kept, reports) = resource.inner.apply(&context, apply).await;
    Ok(pb::apply_resource_change::Response {
        new_state: resource.encode(&kept.state)?,
        private: kept.private.to_bytes(),
        new_identity: resource.encode_identity(kept.identity.as_ref())?,
        diagnostics: wire::diagnostics(reports),
        ..Default::default()
    })
}
