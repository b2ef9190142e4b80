//! What the author of a data source implements, in typed words.

use std::future::Future;

use futures_util::future::BoxFuture;

use crate::report::Report;
use crate::value::Value;

use super::attribute::Attribute;
use super::model::{Model, decode, overlay};
use super::plan::with_defaults;
use super::reports::Reports;
use super::validate::validate;

/// A data source: asks, never changes.
pub trait DataSource: Send + Sync + 'static {
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

    /// What the page says at its end, Markdown.
    fn appendix() -> String {
        String::new()
    }

    /// Fills in the results. Arguments stay as they are.
    fn read(
        &self,
        context: &Self::Context,
        query: &mut Query<Self::Model>,
    ) -> impl Future<Output = Result<(), Reports>> + Send;
}

/// A question and its answer.
#[derive(Debug)]
pub struct Query<M> {
    /// Arguments, wholly known; the data source sets the results
    pub state: M,
    /// What the person should know
    pub warnings: Vec<Report>,
}

/// The answer of a call: a value with reports, or reports alone.
pub type Answer<T> = (Option<T>, Vec<Report>);

/// A data source without its types, as the protocol sees it.
pub trait AnyDataSource<C>: Send + Sync {
    /// Full name.
    fn name(&self) -> &'static str;
    /// Group in the registry's menu.
    fn subcategory(&self) -> &'static str;
    /// What it is for, line by line.
    fn doc(&self) -> &'static [&'static str];
    /// What the page says at its end, Markdown.
    fn appendix(&self) -> String;
    /// The declarations.
    fn attributes(&self) -> Vec<Attribute>;
    /// See [`DataSource::validate`].
    fn validate(&self, config: &Value) -> Vec<Report>;
    /// See [`DataSource::read`].
    fn read<'a>(&'a self, context: &'a C, config: Value) -> BoxFuture<'a, Answer<Value>>;
}

impl<D: DataSource> AnyDataSource<D::Context> for D {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn subcategory(&self) -> &'static str {
        D::SUBCATEGORY
    }

    fn doc(&self) -> &'static [&'static str] {
        D::Model::DOC
    }

    fn appendix(&self) -> String {
        D::appendix()
    }

    fn attributes(&self) -> Vec<Attribute> {
        D::Model::attributes()
    }

    fn validate(&self, config: &Value) -> Vec<Report> {
        let (model, mut reports) = validate::<D::Model>(config, false);
        reports.extend(D::validate(&model));
        reports
    }

    fn read<'a>(&'a self, context: &'a D::Context, config: Value) -> BoxFuture<'a, Answer<Value>> {
        Box::pin(async move {
            let asked: D::Model = match decode(&with_defaults(&D::Model::attributes(), &config)) {
                Ok(model) => model,
                Err(problems) => return (None, problems),
            };
            let mut query = Query { state: asked.clone(), warnings: Vec::new() };
            match DataSource::read(self, context, &mut query).await {
                Ok(()) => (Some(overlay(&config, &asked, &query.state)), query.warnings),
                Err(Reports(errors)) => (None, [query.warnings, errors].concat()),
            }
        })
    }
}
