//! Data sources.

use tfplugin_proto::tfplugin6 as pb;

use crate::schema::{Provider, Reports};

use super::{Service, wire};

pub(super) async fn read<P: Provider>(
    service: &Service<P>,
    request: pb::read_data_source::Request,
) -> Result<pb::read_data_source::Response, Reports> {
    let data_source = service.data_source(&request.type_name)?;
    let config = data_source.decode(request.config.as_ref())?;
    let context = service.context()?;
    let read = data_source.inner.read(&context, config);
    let (answer, reports) = service.unless_stopped("read", read).await?;
    let Some(state) = answer else {
        return Err(Reports(reports));
    };
    Ok(pb::read_data_source::Response {
        state: data_source.encode(&state)?,
        diagnostics: wire::diagnostics(reports),
        ..Default::default()
    })
}
