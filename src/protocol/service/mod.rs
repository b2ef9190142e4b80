//! Terraform's provider service: each call finds its object, converts in, calls, converts out.
//!
//! Problems are always diagnostics of a successful reply, never gRPC errors: after a gRPC error Terraform forgets an
//! object that was just created. For the same reason a panic in a call becomes a diagnostic.

mod apply;
mod data_source;
mod ephemeral;
mod function;
mod import;
mod plan;
mod provider;
mod read;
mod state;
mod validate;

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, RwLock};

use futures_util::FutureExt;
use tfplugin_proto::tfplugin6 as pb;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::report::Report;
use crate::schema::{
    AnyDataSource, AnyEphemeral, AnyResource, Attribute, Function, Model, Private, Provider, Reports, object_type,
};
use crate::value::{Type, Value};

use super::{codec, wire};

/// The service of one provider process.
pub struct Service<P: Provider> {
    provider: P,
    resources: BTreeMap<&'static str, Object<dyn AnyResource<P::Context>>>,
    data_sources: BTreeMap<&'static str, Object<dyn AnyDataSource<P::Context>>>,
    ephemerals: BTreeMap<&'static str, Object<dyn AnyEphemeral<P::Context>>>,
    functions: BTreeMap<&'static str, Function>,
    /// The last configuration wins: under a debugger several provider blocks share one process.
    context: RwLock<Option<Arc<P::Context>>>,
    stop: CancellationToken,
}

/// Something offered, with its declarations at hand.
struct Object<T: ?Sized> {
    kind: Type,
    attributes: Vec<Attribute>,
    inner: Box<T>,
}

impl<P: Provider> Service<P> {
    /// Builds the tables; does no other work.
    pub fn new(provider: P) -> Self {
        Self {
            resources: provider.resources().into_iter().map(|r| (r.name(), object(r.attributes(), r))).collect(),
            data_sources: provider.data_sources().into_iter().map(|d| (d.name(), object(d.attributes(), d))).collect(),
            ephemerals: provider.ephemerals().into_iter().map(|e| (e.name(), object(e.attributes(), e))).collect(),
            functions: provider.functions().into_iter().map(|f| (f.name, f)).collect(),
            provider,
            context: RwLock::new(None),
            stop: CancellationToken::new(),
        }
    }

    /// The same service, whose running calls are asked to stop when the process begins to end.
    #[must_use]
    pub fn until(mut self, ending: &CancellationToken) -> Self {
        self.stop = ending.child_token();
        self
    }

    /// The outcome of a call that changes nothing; an error as soon as the user asks to stop. An outcome that is there at
    /// once is handed out even after that.
    async fn unless_stopped<T>(&self, what: &str, call: impl Future<Output = T>) -> Result<T, Reports> {
        tokio::select! {
            biased;
            outcome = call => Ok(outcome),
            () = self.stop.cancelled() => {
                Err(Report::error("Interrupted", format!("The {what} was interrupted. Run it again.")).into())
            }
        }
    }

    fn context(&self) -> Result<Arc<P::Context>, Reports> {
        let context = self.context.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        context.clone().ok_or_else(|| {
            Report::error(
                "The provider is not configured",
                "Terraform asked for an object before it configured the provider. This is a bug in the client.",
            )
            .into()
        })
    }

    fn resource(&self, name: &str) -> Result<&Object<dyn AnyResource<P::Context>>, Reports> {
        self.resources.get(name).ok_or_else(|| no_such("resource", name))
    }

    fn data_source(&self, name: &str) -> Result<&Object<dyn AnyDataSource<P::Context>>, Reports> {
        self.data_sources.get(name).ok_or_else(|| no_such("data source", name))
    }

    fn ephemeral(&self, name: &str) -> Result<&Object<dyn AnyEphemeral<P::Context>>, Reports> {
        self.ephemerals.get(name).ok_or_else(|| no_such("ephemeral resource", name))
    }
}

fn object<T: ?Sized>(attributes: Vec<Attribute>, inner: Box<T>) -> Object<T> {
    Object { kind: object_type(&attributes), attributes, inner }
}

fn no_such(what: &str, name: &str) -> Reports {
    Report::error(
        format!("No such {what}"),
        format!("This version of the provider has no {what} `{name}`. Use a version that has it."),
    )
    .into()
}

impl<T: ?Sized> Object<T> {
    fn decode(&self, message: Option<&pb::DynamicValue>) -> Result<Value, Reports> {
        Ok(codec::decode(message, &self.kind)?)
    }

    fn encode(&self, value: &Value) -> Result<Option<pb::DynamicValue>, Reports> {
        Ok(Some(codec::encode(value, &self.kind)?))
    }
}

impl<C> Object<dyn AnyResource<C>> {
    fn identity_kind(&self) -> Type {
        object_type(&self.inner.identity_attributes())
    }

    fn encode_identity(&self, identity: Option<&Value>) -> Result<Option<pb::ResourceIdentityData>, Reports> {
        identity
            .filter(|_| !self.inner.identity_attributes().is_empty())
            .map(|identity| {
                let identity_data = Some(codec::encode(identity, &self.identity_kind())?);
                Ok(pb::ResourceIdentityData { identity_data })
            })
            .transpose()
    }
}

fn private(bytes: &[u8]) -> Private {
    Private::from_bytes(bytes)
}

fn provider_kind<P: Provider>() -> Type {
    object_type(&P::Model::attributes())
}

/// Runs a call; a panic inside becomes the reports of `failed`.
async fn guard<T>(call: impl Future<Output = T>, failed: impl FnOnce(Vec<Report>) -> T) -> Result<Response<T>, Status> {
    let reply = AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| {
        failed(vec![Report::error(
            "The provider has a bug",
            "A call panicked. The place is in the provider's log (TF_LOG_PROVIDER=ERROR). What was done so far may not \
             be in the state: apply again, the provider continues from what it finds. Please report it.",
        )])
    });
    Ok(Response::new(reply))
}

/// One line per call: the trait method runs the function of the same name in its file.
macro_rules! calls {
    ($($rpc:ident => $function:path;)*) => {
        #[tonic::async_trait]
        impl<P: Provider> pb::provider_server::Provider for Service<P> {
            $(
                #[allow(clippy::needless_update, reason = "some replies have no field but the diagnostics")]
                async fn $rpc(
                &self,
                request: Request<pb::$rpc::Request>,
            ) -> Result<Response<pb::$rpc::Response>, Status> {
                let request = request.into_inner();
                let failed = |reports| pb::$rpc::Response {
                    diagnostics: wire::diagnostics(reports),
                    ..Default::default()
                };
                guard(
                    async { $function(self, request).await.unwrap_or_else(|Reports(reports)| failed(reports)) },
                    failed,
                )
                .await
            })*

            async fn call_function(
                &self,
                request: Request<pb::call_function::Request>,
            ) -> Result<Response<pb::call_function::Response>, Status> {
                let failed = |reports: Vec<Report>| function::failed(reports.into_iter().map(|r| r.detail).collect());
                guard(async { function::call(self, request.into_inner()) }, failed).await
            }

            async fn stop_provider(
                &self,
                _request: Request<pb::stop_provider::Request>,
            ) -> Result<Response<pb::stop_provider::Response>, Status> {
                self.stop.cancel();
                Ok(Response::new(pb::stop_provider::Response::default()))
            }
        }
    };
}

calls! {
    get_metadata => provider::metadata;
    get_provider_schema => provider::schema;
    get_resource_identity_schemas => provider::identity_schemas;
    get_functions => provider::functions;
    validate_provider_config => validate::provider;
    configure_provider => provider::configure;
    validate_resource_config => validate::resource;
    validate_data_resource_config => validate::data_source;
    validate_ephemeral_resource_config => validate::ephemeral;
    upgrade_resource_state => state::upgrade;
    upgrade_resource_identity => state::upgrade_identity;
    move_resource_state => state::refuse_move;
    read_resource => read::read;
    plan_resource_change => plan::plan;
    apply_resource_change => apply::apply;
    import_resource_state => import::import;
    read_data_source => data_source::read;
    open_ephemeral_resource => ephemeral::open;
    renew_ephemeral_resource => ephemeral::renew;
    close_ephemeral_resource => ephemeral::close;
}

#[cfg(test)]
mod tests;
