//! Ephemeral resources.

use std::time::{SystemTime, UNIX_EPOCH};

use tfplugin_proto::tfplugin6 as pb;

use crate::schema::{Provider, Reports};

use super::{Service, private, wire};

pub(super) async fn open<P: Provider>(
    service: &Service<P>,
    request: pb::open_ephemeral_resource::Request,
) -> Result<pb::open_ephemeral_resource::Response, Reports> {
    let ephemeral = service.ephemeral(&request.type_name)?;
    let config = ephemeral.decode(request.config.as_ref())?;
    let context = service.context()?;
    let (answer, reports) = service.unless_stopped("opening", ephemeral.inner.open(&context, config)).await?;
    let Some(opened) = answer else {
        return Err(Reports(reports));
    };
    Ok(pb::open_ephemeral_resource::Response {
        result: ephemeral.encode(&opened.result)?,
        renew_at: opened.renew_at.map(timestamp),
        private: Some(opened.private.to_bytes()),
        diagnostics: wire::diagnostics(reports),
        ..Default::default()
    })
}

pub(super) async fn renew<P: Provider>(
    service: &Service<P>,
    request: pb::renew_ephemeral_resource::Request,
) -> Result<pb::renew_ephemeral_resource::Response, Reports> {
    let ephemeral = service.ephemeral(&request.type_name)?;
    let context = service.context()?;
    let kept = private(request.private.as_deref().unwrap_or_default());
    let (answer, reports) = service.unless_stopped("renewal", ephemeral.inner.renew(&context, kept)).await?;
    let Some((renew_at, kept)) = answer else {
        return Err(Reports(reports));
    };
    Ok(pb::renew_ephemeral_resource::Response {
        renew_at: renew_at.map(timestamp),
        private: Some(kept.to_bytes()),
        diagnostics: wire::diagnostics(reports),
    })
}

pub(super) async fn close<P: Provider>(
    service: &Service<P>,
    request: pb::close_ephemeral_resource::Request,
) -> Result<pb::close_ephemeral_resource::Response, Reports> {
    let ephemeral = service.ephemeral(&request.type_name)?;
    let context = service.context()?;
    let kept = private(request.private.as_deref().unwrap_or_default());
    let reports = ephemeral.inner.close(&context, kept).await;
    Ok(pb::close_ephemeral_resource::Response { diagnostics: wire::diagnostics(reports) })
}

fn timestamp(time: SystemTime) -> prost_types::Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    prost_types::Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or(0),
    }
}
