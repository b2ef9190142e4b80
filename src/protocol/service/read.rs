//! Refresh.

use tfplugin_proto::tfplugin6 as pb;

use crate::schema::{Kept, Provider, Reports};
use crate::value::Value;

use super::{Service, codec, private, wire};

pub(super) async fn read<P: Provider>(
    service: &Service<P>,
    request: pb::read_resource::Request,
) -> Result<pb::read_resource::Response, Reports> {
    let resource = service.resource(&request.type_name)?;
    let current = resource.decode(request.current_state.as_ref())?;
    let identity = request
        .current_identity
        .map(|i| codec::decode(i.identity_data.as_ref(), &resource.identity_kind()))
        .transpose()?
        .filter(|i| !i.is_null());
    let failed = |reports| pb::read_resource::Response {
        new_state: request.current_state.clone(),
        private: request.private.clone(),
        diagnostics: wire::diagnostics(reports),
        ..Default::default()
    };
    if current.is_null() {
        return Ok(failed(Vec::new()));
    }
    let context = match service.context() {
        Ok(context) => context,
        Err(Reports(reports)) => return Ok(failed(reports)),
    };
    let kept = Kept { state: current, private: private(&request.private), identity };
    let (answer, reports) = resource.inner.read(&context, kept, service.stop.child_token()).await;
    let Some(kept) = answer else {
        return Ok(failed(reports));
    };
    Ok(pb::read_resource::Response {
        new_state: resource.encode(&kept.state)?,
        private: kept.private.to_bytes(),
        new_identity: resource.encode_identity(kept.identity.as_ref().filter(|i| Value::is_wholly_known(i)))?,
        diagnostics: wire::diagnostics(reports),
        ..Default::default()
    })
}
