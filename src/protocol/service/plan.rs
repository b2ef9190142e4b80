//! Plan.

use tfplugin_proto::tfplugin6 as pb;

use crate::schema::{PlanRequest, Provider, Reports};

use super::{Service, private, wire};

pub(super) async fn plan<P: Provider>(
    service: &Service<P>,
    request: pb::plan_resource_change::Request,
) -> Result<pb::plan_resource_change::Response, Reports> {
    let resource = service.resource(&request.type_name)?;
    let proposed = resource.decode(request.proposed_new_state.as_ref())?;
    if proposed.is_null() {
        return Ok(pb::plan_resource_change::Response {
            planned_state: resource.encode(&proposed)?,
            planned_private: request.prior_private,
            planned_identity: request.prior_identity,
            ..Default::default()
        });
    }
    let context = service.context()?;
    let prior = resource.decode(request.prior_state.as_ref())?;
    let plan = PlanRequest {
        config: resource.decode(request.config.as_ref())?,
        prior,
        proposed,
        private: private(&request.prior_private),
    };
    let (answer, reports) = service.unless_stopped("plan", resource.inner.plan(&context, plan)).await?;
    let Some(planned) = answer else {
        return Err(Reports(reports));
    };
    // Terraform 1.12 to 1.15 take a partly unknown identity, but then cannot show the plan: it has no form in JSON.
    let identity = planned.object.identity.as_ref().filter(|identity| identity.is_wholly_known());
    Ok(pb::plan_resource_change::Response {
        planned_state: resource.encode(&planned.object.state)?,
        requires_replace: planned.replace.iter().map(wire::path).collect(),
        planned_private: planned.object.private.to_bytes(),
        planned_identity: resource.encode_identity(identity)?,
        diagnostics: wire::diagnostics(reports),
        ..Default::default()
    })
}
