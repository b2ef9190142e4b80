//! What the author of a resource implements, in typed words.

use std::collections::BTreeMap;
use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::report::Report;
use crate::value::{Path, Value};

use super::attribute::Attribute;
use super::model::Model;
use super::private::Private;
use super::reports::Reports;

/// How long the calls of a resource may take unless `timeouts` says otherwise, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Create
    pub create: u64,
    /// Read
    pub read: u64,
    /// Update
    pub update: u64,
    /// Delete
    pub delete: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { create: 1_800, read: 300, update: 1_800, delete: 1_800 }
    }
}

/// A managed resource. One value serves all objects; everything of one object comes with the call.
///
/// Every call may be dropped at any await (a time-out, Ctrl-C, a killed process), and the next call continues from what
/// it can observe.
pub trait Resource: Send + Sync + 'static {
    /// What the provider block was resolved to.
    type Context: Send + Sync + 'static;
    /// Arguments and results.
    type Model: Model;
    /// The parts that name the object for ever.
    type Identity: Model;

    /// Full name, `rdsaccess_…`.
    const NAME: &'static str;
    /// Group in the registry's menu.
    const SUBCATEGORY: &'static str;
    /// Version of the state's schema.
    const VERSION: i64 = 0;
    /// The id that `terraform import` takes, in words; empty for a resource that cannot be imported.
    const IMPORT_ID: &'static str;
    /// What else there is to know about an import, a paragraph; empty when there is nothing.
    const IMPORT_NOTE: &'static str = "";
    /// Default time-outs.
    const LIMITS: Limits = Limits { create: 1_800, read: 300, update: 1_800, delete: 1_800 };

    /// The identity of an object. Attributes that are not known yet are unknown.
    fn identity(state: &Self::Model) -> Self::Identity;

    /// Rules that need no target and no network; unknown attributes are not judged.
    fn validate(_config: &Self::Model) -> Vec<Report> {
        Vec::new()
    }

    /// Adds to the generic plan what only the resource knows. Called for create and update, at plan and again at apply,
    /// and must give the same answer both times. Never opens a database session or reads a secret.
    fn plan(
        &self,
        context: &Self::Context,
        change: &mut Change<Self::Model>,
    ) -> impl Future<Output = Result<(), Reports>> + Send;

    /// Brings the state up to date; changes nothing outside. `false`: nothing that the resource made remains.
    fn read(
        &self,
        context: &Self::Context,
        reading: &mut Reading<Self::Model>,
    ) -> impl Future<Output = Result<bool, Reports>> + Send;

    /// Makes the object. After the first effect that must not be lost it sets [`Apply::saved`].
    fn create(
        &self,
        context: &Self::Context,
        apply: &mut Apply<Self::Model>,
    ) -> impl Future<Output = Result<(), Reports>> + Send;

    /// Changes the object from [`Apply::prior`] to [`Apply::planned`].
    fn update(
        &self,
        context: &Self::Context,
        apply: &mut Apply<Self::Model>,
    ) -> impl Future<Output = Result<(), Reports>> + Send;

    /// Undoes what create made. An object that is gone is a success.
    fn delete(
        &self,
        context: &Self::Context,
        apply: &mut Apply<Self::Model>,
    ) -> impl Future<Output = Result<(), Reports>> + Send;

    /// The attributes that an id names; Terraform calls Read right after.
    ///
    /// # Errors
    /// An id of another form.
    fn import_id(id: &str) -> Result<Self::Model, Reports>;

    /// The attributes that an identity names.
    ///
    /// # Errors
    /// An identity that lacks a part.
    fn import_identity(identity: &Self::Identity) -> Result<Self::Model, Reports>;

    /// Rewrites the state of an older schema version.
    ///
    /// # Errors
    /// A version that never was.
    fn upgrade(version: i64, _state: serde_json::Value) -> Result<serde_json::Value, Reports> {
        Err(Report::error(
            "Unknown schema version",
            format!("{} has no schema version {version}. Use the provider version that wrote this state.", Self::NAME),
        )
        .into())
    }
}

/// The identity of a resource that stands for nothing that could be found again: it has no identity schema, and no import.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NoIdentity;

impl Model for NoIdentity {
    const DOC: &'static [&'static str] = &[];

    fn attributes() -> Vec<Attribute> {
        Vec::new()
    }

    fn from_fields(_object: &Value, _at: &Path, _problems: &mut Vec<Report>) -> Self {
        Self
    }

    fn fields(&self) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    fn into_fields(self) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }
}

/// A planned create or update.
#[derive(Debug)]
pub struct Change<M> {
    /// What the user wrote, write-only arguments included; may hold unknown values
    pub config: M,
    /// The state before; `None` on create
    pub prior: Option<M>,
    /// The state after; the resource edits it
    pub planned: M,
    /// Private state; what is set here reaches apply
    pub private: Private,
    /// Further attributes whose change makes a new object
    pub replace: Vec<Path>,
    /// What the person should know
    pub warnings: Vec<Report>,
    pub(super) raw_prior: Value,
    pub(super) raw_planned: Value,
}

impl<M: Model> Change<M> {
    /// Whether the object does not exist yet.
    pub fn is_create(&self) -> bool {
        self.prior.is_none()
    }

    /// Whether a top-level attribute differs between prior and planned state, before the resource's own edits.
    /// Everything differs on create.
    pub fn changes(&self, attribute: &str) -> bool {
        self.is_create() || self.raw_prior.attribute(attribute) != self.raw_planned.attribute(attribute)
    }
}

/// A refresh.
#[derive(Debug)]
pub struct Reading<M> {
    /// The state; the resource brings it up to date
    pub state: M,
    /// Private state
    pub private: Private,
    /// What the person should know
    pub warnings: Vec<Report>,
    /// Whether the state comes from an import: only the parts of the id are set
    pub imported: bool,
}

/// A create, update or delete.
#[derive(Debug)]
pub struct Apply<M> {
    /// What the user wrote, wholly known, write-only arguments included; default on delete
    pub config: M,
    /// The state before; `None` on create
    pub prior: Option<M>,
    /// What was promised; what is unknown in it must become known. Default on delete
    pub planned: M,
    /// The state that will be kept: begins as planned (create, update) or prior (delete)
    pub state: M,
    /// Whether `state` is kept even if the call fails: after create has made the object, after update has reached a
    /// point that the prior state does not describe. Otherwise a failed create keeps nothing and a failed update the
    /// prior state
    pub saved: bool,
    /// Private state
    pub private: Private,
    /// What the person should know
    pub warnings: Vec<Report>,
    /// Cancelled when the user asks to stop: waits should end
    pub stop: CancellationToken,
}
