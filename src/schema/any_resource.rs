//! A resource without its types: the way between raw values and what an author writes.

use std::future::Future;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::access::Span;
use crate::report::Report;
use crate::value::{Path, Value};

use super::attribute::Attribute;
use super::data_source::Answer;
use super::model::{Model, decode, overlay};
use super::plan;
use super::private::Private;
use super::reports::Reports;
use super::resource::{Apply, Change, Limits, Reading, Resource};
use super::validate::validate;

/// How long a call may go on after the user asked to stop. Quick steps finish; whatever is dropped then is found again
/// by the next apply.
const GRACE_AFTER_STOP: Duration = Duration::from_secs(5);

/// An object as Terraform keeps it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// State, null when there is none
    pub state: Value,
    /// Private state
    pub private: Private,
    /// Identity, unknown parts included
    pub identity: Option<Value>,
}

/// What Terraform asks to plan.
#[derive(Debug)]
pub struct PlanRequest {
    /// What the user wrote
    pub config: Value,
    /// State before, null on create
    pub prior: Value,
    /// Terraform's own proposal
    pub proposed: Value,
    /// Private state
    pub private: Private,
}

/// A plan.
#[derive(Debug)]
pub struct Planned {
    /// Planned state with its private state and identity
    pub object: Kept,
    /// Attributes whose change makes a new object
    pub replace: Vec<Path>,
}

/// What Terraform asks to apply.
#[derive(Debug)]
pub struct ApplyRequest {
    /// What the user wrote, null on delete
    pub config: Value,
    /// State before, null on create
    pub prior: Value,
    /// Planned state, null on delete
    pub planned: Value,
    /// Private state
    pub private: Private,
    /// Cancelled when the user asks to stop
    pub stop: CancellationToken,
}

/// A resource as the protocol sees it.
pub trait AnyResource<C>: Send + Sync {
    /// Full name.
    fn name(&self) -> &'static str;
    /// Group in the registry's menu.
    fn subcategory(&self) -> &'static str;
    /// Version of the state's schema.
    fn version(&self) -> i64;
    /// What it is for, line by line.
    fn doc(&self) -> &'static [&'static str];
    /// The id that import takes, in words; empty where there is no import.
    fn import_words(&self) -> &'static str;
    /// What else there is to know about an import; empty when there is nothing.
    fn import_note(&self) -> &'static str;
    /// Default time-outs.
    fn limits(&self) -> Limits;
    /// The declarations.
    fn attributes(&self) -> Vec<Attribute>;
    /// The declarations of the identity; none where there is no identity.
    fn identity_attributes(&self) -> Vec<Attribute>;
    /// See [`Resource::validate`].
    fn validate(&self, config: &Value, write_only_allowed: bool) -> Vec<Report>;
    /// See [`Resource::plan`].
    fn plan<'a>(&'a self, context: &'a C, request: PlanRequest) -> BoxFuture<'a, Answer<Planned>>;
    /// See [`Resource::read`]. `None` with errors: the prior state stays.
    fn read<'a>(&'a self, context: &'a C, kept: Kept, stop: CancellationToken) -> BoxFuture<'a, Answer<Kept>>;
    /// See [`Resource::create`], [`Resource::update`] and [`Resource::delete`].
    fn apply<'a>(&'a self, context: &'a C, request: ApplyRequest) -> BoxFuture<'a, (Kept, Vec<Report>)>;
    /// See [`Resource::import_id`].
    fn import_id(&self, id: &str) -> Answer<Kept>;
    /// See [`Resource::import_identity`].
    fn import_identity(&self, identity: &Value) -> Answer<Kept>;
    /// See [`Resource::upgrade`].
    ///
    /// # Errors
    /// A version that never was.
    fn upgrade(&self, version: i64, state: serde_json::Value) -> Result<serde_json::Value, Reports>;
}

/// Private entry of an object that was imported and not read yet.
const IMPORTED: &str = "imported";

impl<R: Resource> AnyResource<R::Context> for R {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn subcategory(&self) -> &'static str {
        R::SUBCATEGORY
    }

    fn version(&self) -> i64 {
        R::VERSION
    }

    fn doc(&self) -> &'static [&'static str] {
        R::Model::DOC
    }

    fn import_words(&self) -> &'static str {
        R::IMPORT_ID
    }

    fn import_note(&self) -> &'static str {
        R::IMPORT_NOTE
    }

    fn limits(&self) -> Limits {
        R::LIMITS
    }

    fn attributes(&self) -> Vec<Attribute> {
        R::Model::attributes()
    }

    fn identity_attributes(&self) -> Vec<Attribute> {
        R::Identity::attributes()
    }

    fn validate(&self, config: &Value, write_only_allowed: bool) -> Vec<Report> {
        let (model, mut reports) = validate::<R::Model>(config, write_only_allowed);
        reports.extend(R::validate(&model));
        reports
    }

    fn plan<'a>(&'a self, context: &'a R::Context, request: PlanRequest) -> BoxFuture<'a, Answer<Planned>> {
        Box::pin(async move {
            match plan_typed(self, context, request).await {
                Ok((planned, warnings)) => (Some(planned), warnings),
                Err(Reports(errors)) => (None, errors),
            }
        })
    }

    fn read<'a>(&'a self, context: &'a R::Context, kept: Kept, stop: CancellationToken) -> BoxFuture<'a, Answer<Kept>> {
        Box::pin(read_typed(self, context, kept, stop))
    }

    fn apply<'a>(&'a self, context: &'a R::Context, request: ApplyRequest) -> BoxFuture<'a, (Kept, Vec<Report>)> {
        Box::pin(async move {
            let fallback = Kept {
                state: request.prior.clone(),
                private: request.private.clone(),
                identity: identity_of::<R>(&request.prior),
            };
            match apply_typed(self, context, request).await {
                Ok(outcome) => outcome,
                Err(Reports(errors)) => (fallback, errors),
            }
        })
    }

    fn import_id(&self, id: &str) -> Answer<Kept> {
        imported::<R>(R::import_id(id))
    }

    fn import_identity(&self, identity: &Value) -> Answer<Kept> {
        imported::<R>(decode(identity).map_err(Reports).and_then(|identity| R::import_identity(&identity)))
    }

    fn upgrade(&self, version: i64, state: serde_json::Value) -> Result<serde_json::Value, Reports> {
        R::upgrade(version, state)
    }
}

async fn plan_typed<R: Resource>(
    resource: &R,
    context: &R::Context,
    request: PlanRequest,
) -> Result<(Planned, Vec<Report>), Reports> {
    let attributes = R::Model::attributes();
    let raw = plan::plan(&attributes, &request.config, &request.prior, &request.proposed);
    let typed: R::Model = decode(&raw)?;
    let mut change = Change {
        config: decode(&request.config)?,
        prior: if request.prior.is_null() { None } else { Some(decode(&request.prior)?) },
        planned: typed.clone(),
        private: request.private,
        replace: Vec::new(),
        warnings: Vec::new(),
        raw_prior: request.prior.clone(),
        raw_planned: raw.clone(),
    };
    if let Err(Reports(errors)) = resource.plan(context, &mut change).await {
        return Err(Reports([change.warnings, errors].concat()));
    }
    let state = overlay(&raw, &typed, &change.planned);
    let mut replace = plan::replacements(&attributes, &request.prior, &state);
    replace.extend(change.replace);
    let identity = Some(R::identity(&change.planned).to_value());
    let object = Kept { state, private: change.private, identity };
    Ok((Planned { object, replace }, change.warnings))
}

async fn read_typed<R: Resource>(
    resource: &R,
    context: &R::Context,
    kept: Kept,
    stop: CancellationToken,
) -> Answer<Kept> {
    let typed: R::Model = match decode(&kept.state) {
        Ok(model) => model,
        Err(problems) => return (None, problems),
    };
    let mut reading = Reading {
        state: typed.clone(),
        imported: kept.private.get(IMPORTED).is_some(),
        private: kept.private,
        warnings: Vec::new(),
    };
    reading.private.remove(IMPORTED);
    let limit = limit(&kept.state, "read", R::LIMITS.read);
    let outcome = bounded(resource.read(context, &mut reading), limit, &stop, "read").await;
    match outcome {
        Ok(true) => {
            let identity = Some(R::identity(&reading.state).to_value());
            let state = overlay(&kept.state, &typed, &reading.state);
            (Some(Kept { state, private: reading.private, identity }), reading.warnings)
        }
        Ok(false) => {
            (Some(Kept { state: Value::Null, private: Private::default(), identity: kept.identity }), reading.warnings)
        }
        Err(Reports(errors)) => (None, [reading.warnings, errors].concat()),
    }
}

async fn apply_typed<R: Resource>(
    resource: &R,
    context: &R::Context,
    mut request: ApplyRequest,
) -> Result<(Kept, Vec<Report>), Reports> {
    let (create, delete) = (request.prior.is_null(), request.planned.is_null());
    let prior: Option<R::Model> = if create { None } else { Some(decode(&request.prior)?) };
    let planned: R::Model = if delete { R::Model::default() } else { decode(&request.planned)? };
    let state = if delete { prior.clone().unwrap_or_default() } else { planned.clone() };
    let mut apply = Apply {
        config: if delete { R::Model::default() } else { decode(&request.config)? },
        prior,
        planned: planned.clone(),
        state: state.clone(),
        saved: false,
        private: std::mem::take(&mut request.private),
        warnings: Vec::new(),
        stop: request.stop.clone(),
    };
    let outcome = change_typed(resource, context, &request, &mut apply).await;
    let base = if delete { &request.prior } else { &request.planned };
    let raw = overlay(base, &state, &apply.state);
    let identity = Some(R::identity(&apply.state).to_value());
    Ok(match outcome {
        Ok(()) if delete => {
            let gone = Kept { state: Value::Null, private: Private::default(), identity: None };
            (gone, apply.warnings)
        }
        Ok(()) => (Kept { state: raw, private: apply.private, identity }, apply.warnings),
        Err(Reports(errors)) => {
            let reports = [apply.warnings, errors].concat();
            if delete || apply.saved {
                let identity = identity.filter(Value::is_wholly_known);
                (Kept { state: raw.without_unknowns(), private: apply.private, identity }, reports)
            } else {
                let identity = identity_of::<R>(&request.prior);
                (Kept { state: request.prior, private: apply.private, identity }, reports)
            }
        }
    })
}

/// Creates, updates or deletes, within the time that the configuration gives.
async fn change_typed<R: Resource>(
    resource: &R,
    context: &R::Context,
    request: &ApplyRequest,
    apply: &mut Apply<R::Model>,
) -> Result<(), Reports> {
    let stop = &request.stop;
    if request.planned.is_null() {
        let limit = limit(&request.prior, "delete", R::LIMITS.delete);
        bounded(resource.delete(context, apply), limit, stop, "delete").await
    } else if request.prior.is_null() {
        let limit = limit(&request.planned, "create", R::LIMITS.create);
        bounded(resource.create(context, apply), limit, stop, "create").await
    } else {
        let limit = limit(&request.planned, "update", R::LIMITS.update);
        bounded(resource.update(context, apply), limit, stop, "update").await
    }
}

fn imported<R: Resource>(model: Result<R::Model, Reports>) -> Answer<Kept> {
    match model {
        Ok(model) => {
            let mut private = Private::default();
            private.set(IMPORTED, "true");
            let identity = Some(R::identity(&model).to_value());
            (Some(Kept { state: model.to_value(), private, identity }), Vec::new())
        }
        Err(Reports(errors)) => (None, errors),
    }
}

fn identity_of<R: Resource>(state: &Value) -> Option<Value> {
    let model: R::Model = decode(state).ok().filter(|_| !state.is_null())?;
    Some(R::identity(&model).to_value())
}

/// The time-out of a call: `timeouts.<call>` if it is set, else the resource's default.
fn limit(object: &Value, call: &str, default: u64) -> Span {
    match object.attribute("timeouts").attribute(call) {
        Value::String(text) => text.parse().unwrap_or(Span::from_seconds(default)),
        _ => Span::from_seconds(default),
    }
}

/// Runs a call within its time-out, and for a short grace after the user asked to stop.
async fn bounded<T>(
    call: impl Future<Output = Result<T, Reports>>,
    limit: Span,
    stop: &CancellationToken,
    what: &str,
) -> Result<T, Reports> {
    let stopped = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE_AFTER_STOP).await;
    };
    tokio::select! {
        biased;
        outcome = call => outcome,
        () = tokio::time::sleep(limit.duration()) => Err(Report::error(
            format!("The {what} took too long"),
            format!(
                "The {what} did not finish within {limit}. What was done so far is kept; apply again to continue, or \
                 raise `timeouts.{what}`."
            ),
        ).into()),
        () = stopped => Err(Report::error(
            "Interrupted",
            format!("The {what} was interrupted. What was done so far is kept; apply again to continue."),
        ).into()),
    }
}
