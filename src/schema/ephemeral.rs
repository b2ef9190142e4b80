//! What the author of an ephemeral resource implements: values that live for one run and never reach state.

use std::future::Future;
use std::time::SystemTime;

use futures_util::future::BoxFuture;

use crate::report::Report;
use crate::value::Value;

use super::attribute::Attribute;
use super::data_source::Answer;
use super::model::{Model, decode, overlay};
use super::plan::with_defaults;
use super::private::Private;
use super::reports::Reports;
use super::validate::validate;

/// An ephemeral resource.
pub trait Ephemeral: Send + Sync + 'static {
    /// What the provider block was resolved to.
    type Context: Send + Sync + 'static;
    /// Arguments and results.
    type Model: Model;

    /// Full name, `rdsaccess_…`.
    const NAME: &'static str;
    /// Group in the registry's menu.
    const SUBCATEGORY: &'static str;

    /// Rules that need no network; unknown attributes are not judged.
    fn validate(_config: &Self::Model) -> Vec<Report> {
        Vec::new()
    }

    /// Makes the value. Terraform opens once in plan and once in apply.
    fn open(
        &self,
        context: &Self::Context,
        opening: &mut Opening<Self::Model>,
    ) -> impl Future<Output = Result<(), Reports>> + Send;

    /// Keeps the value alive; returns when to renew next. Gets what the last renewal kept.
    fn renew(
        &self,
        _context: &Self::Context,
        _private: &mut Private,
    ) -> impl Future<Output = Result<Option<SystemTime>, Reports>> + Send {
        async { Ok(None) }
    }

    /// Gives the value back; may be called twice. Gets what open kept.
    fn close(&self, _context: &Self::Context, _private: &Private) -> impl Future<Output = Result<(), Reports>> + Send {
        async { Ok(()) }
    }
}

/// An ephemeral resource that is being opened.
#[derive(Debug)]
pub struct Opening<M> {
    /// Arguments, wholly known; the results are set
    pub result: M,
    /// When to renew
    pub renew_at: Option<SystemTime>,
    /// Kept for renew and close, never secret
    pub private: Private,
    /// What the person should know
    pub warnings: Vec<Report>,
}

/// What the protocol gets of an opened ephemeral resource.
#[derive(Debug)]
pub struct Opened {
    /// Arguments and results
    pub result: Value,
    /// When to renew
    pub renew_at: Option<SystemTime>,
    /// Kept for renew and close
    pub private: Private,
}

/// An ephemeral resource without its types, as the protocol sees it.
pub trait AnyEphemeral<C>: Send + Sync {
    /// Full name.
    fn name(&self) -> &'static str;
    /// Group in the registry's menu.
    fn subcategory(&self) -> &'static str;
    /// What it is for, line by line.
    fn doc(&self) -> &'static [&'static str];
    /// The declarations.
    fn attributes(&self) -> Vec<Attribute>;
    /// See [`Ephemeral::validate`].
    fn validate(&self, config: &Value) -> Vec<Report>;
    /// See [`Ephemeral::open`].
    fn open<'a>(&'a self, context: &'a C, config: Value) -> BoxFuture<'a, Answer<Opened>>;
    /// See [`Ephemeral::renew`].
    fn renew<'a>(&'a self, context: &'a C, private: Private) -> BoxFuture<'a, Answer<(Option<SystemTime>, Private)>>;
    /// See [`Ephemeral::close`].
    fn close<'a>(&'a self, context: &'a C, private: Private) -> BoxFuture<'a, Vec<Report>>;
}

impl<E: Ephemeral> AnyEphemeral<E::Context> for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn subcategory(&self) -> &'static str {
        E::SUBCATEGORY
    }

    fn doc(&self) -> &'static [&'static str] {
        E::Model::DOC
    }

    fn attributes(&self) -> Vec<Attribute> {
        E::Model::attributes()
    }

    fn validate(&self, config: &Value) -> Vec<Report> {
        let (model, mut reports) = validate::<E::Model>(config, false);
        reports.extend(E::validate(&model));
        reports
    }

    fn open<'a>(&'a self, context: &'a E::Context, config: Value) -> BoxFuture<'a, Answer<Opened>> {
        Box::pin(async move {
            let asked: E::Model = match decode(&with_defaults(&E::Model::attributes(), &config)) {
                Ok(model) => model,
                Err(problems) => return (None, problems),
            };
            let mut opening =
                Opening { result: asked.clone(), renew_at: None, private: Private::default(), warnings: Vec::new() };
            match Ephemeral::open(self, context, &mut opening).await {
                Ok(()) => {
                    let result = overlay(&config, &asked, &opening.result);
                    let opened = Opened { result, renew_at: opening.renew_at, private: opening.private };
                    (Some(opened), opening.warnings)
                }
                Err(Reports(errors)) => (None, [opening.warnings, errors].concat()),
            }
        })
    }

    fn renew<'a>(
        &'a self,
        context: &'a E::Context,
        mut private: Private,
    ) -> BoxFuture<'a, Answer<(Option<SystemTime>, Private)>> {
        Box::pin(async move {
            match Ephemeral::renew(self, context, &mut private).await {
                Ok(renew_at) => (Some((renew_at, private)), Vec::new()),
                Err(Reports(errors)) => (None, errors),
            }
        })
    }

    fn close<'a>(&'a self, context: &'a E::Context, private: Private) -> BoxFuture<'a, Vec<Report>> {
        Box::pin(async move {
            match Ephemeral::close(self, context, &private).await {
                Ok(()) => Vec::new(),
                Err(Reports(errors)) => errors,
            }
        })
    }
}
