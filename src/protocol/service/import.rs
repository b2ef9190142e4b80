//! Import by id or by identity.

use tfplugin_proto::tfplugin6 as pb;

use crate::schema::{Provider, Reports};
use crate::value::Value;

use super::{Service, codec, wire};

pub(super) async fn import<P: Provider>(
    service: &Service<P>,
    request: pb::import_resource_state::Request,
) -> Result<pb::import_resource_state::Response, Reports> {
    let resource = service.resource(&request.type_name)?;
    let identity = request.identity.and_then(|i| i.identity_data);
    let (answer, reports) = match identity {
        Some(identity) if request.id.is_empty() => {
            resource.inner.import_identity(&codec::decode(Some(&identity), &resource.identity_kind())?)
        }
        _ => resource.inner.import_id(&request.id),
    };
    let Some(kept) = answer else {
        return Err(Reports(reports));
    };
    let imported = pb::import_resource_state::ImportedResource {
        type_name: request.type_name,
        state: resource.encode(&kept.state)?,
        private: kept.private.to_bytes(),
        identity: resource.encode_identity(kept.identity.as_ref().filter(|i| Value::is_wholly_known(i)))?,
    };
    Ok(pb::import_resource_state::Response {
        imported_resources: vec![imported],
        diagnostics: wire::diagnostics(reports),
        ..Default::default()
    })
}
