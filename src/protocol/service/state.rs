//! States of other schema versions and of other resource types.

use tfplugin_proto::tfplugin6 as pb;

use crate::report::Report;
use crate::schema::{Provider, Reports};

use super::{Service, codec};

pub(super) async fn upgrade<P: Provider>(
    service: &Service<P>,
    request: pb::upgrade_resource_state::Request,
) -> Result<pb::upgrade_resource_state::Response, Reports> {
    let resource = service.resource(&request.type_name)?;
    let raw = json_of(request.raw_state)?;
    let json = if request.version == resource.inner.version() {
        raw
    } else {
        let state = serde_json::from_slice(&raw).map_err(|e| malformed(&e))?;
        resource.inner.upgrade(request.version, state)?.to_string().into_bytes()
    };
    let state = codec::from_json(&json, &resource.kind)?;
    Ok(pb::upgrade_resource_state::Response { upgraded_state: resource.encode(&state)?, ..Default::default() })
}

pub(super) async fn upgrade_identity<P: Provider>(
    service: &Service<P>,
    request: pb::upgrade_resource_identity::Request,
) -> Result<pb::upgrade_resource_identity::Response, Reports> {
    let resource = service.resource(&request.type_name)?;
    let identity = codec::from_json(&json_of(request.raw_identity)?, &resource.identity_kind())?;
    let upgraded_identity = resource.encode_identity(Some(&identity))?;
    Ok(pb::upgrade_resource_identity::Response { upgraded_identity, ..Default::default() })
}

pub(super) async fn refuse_move<P: Provider>(
    _service: &Service<P>,
    request: pb::move_resource_state::Request,
) -> Result<pb::move_resource_state::Response, Reports> {
    Err(Report::error(
        "Cannot move this object",
        format!(
            "`{}` cannot be moved to `{}`. Use an import block for the new object and a removed block for the old one.",
            request.source_type_name, request.target_type_name
        ),
    )
    .into())
}

fn json_of(raw: Option<pb::RawState>) -> Result<Vec<u8>, Reports> {
    match raw {
        Some(raw) if raw.flatmap.is_empty() && !raw.json.is_empty() => Ok(raw.json),
        _ => Err(Report::error(
            "Cannot read this state",
            "The state is empty or was written by Terraform 0.11 or older. Import the object again.",
        )
        .into()),
    }
}

fn malformed(error: &serde_json::Error) -> Reports {
    Report::error("Cannot read this state", format!("The state is not JSON: {error}. Restore it from a backup.")).into()
}
