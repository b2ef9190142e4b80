//! `rdsaccess_notification`: telling others that the roles of a database are there.
//!
//! | module    | what it does                                                  |
//! |-----------|---------------------------------------------------------------|
//! | `model`   | declares the arguments and results                            |
//! | `rules`   | checks what needs no network                                  |
//! | `plan`    | says whether there is something to tell                       |
//! | `event`   | turns a plan into an event, with the id that it always has    |
//! | `steps`   | runs the command, sends the event, keeps what came of it      |
//! | `error`   | puts into words what can go wrong                             |

mod error;
mod event;
mod model;
mod plan;
mod rules;
mod steps;
#[cfg(test)]
mod tests;

use crate::context::Context;
use crate::report::Report;
use crate::schema::{Apply, Change, Limits, NoIdentity, Reading, Reports, Resource};

use error::Error;
use model::Notification;

/// The resource.
pub struct NotificationResource;

impl Resource for NotificationResource {
    type Context = Context;
    type Model = Notification;
    type Identity = NoIdentity;

    const NAME: &'static str = "rdsaccess_notification";
    const SUBCATEGORY: &'static str = "Gateway";
    const IMPORT_ID: &'static str = "";
    const LIMITS: Limits = rules::LIMITS;

    fn identity(_state: &Notification) -> NoIdentity {
        NoIdentity
    }

    fn validate(config: &Notification) -> Vec<Report> {
        rules::problems(config)
    }

    async fn plan(&self, context: &Context, change: &mut Change<Notification>) -> Result<(), Reports> {
        plan::plan(context, change)
    }

    /// What was told cannot be looked at.
    async fn read(&self, _context: &Context, _reading: &mut Reading<Notification>) -> Result<bool, Reports> {
        Ok(true)
    }

    async fn create(&self, context: &Context, apply: &mut Apply<Notification>) -> Result<(), Reports> {
        steps::send(context, apply).await
    }

    async fn update(&self, context: &Context, apply: &mut Apply<Notification>) -> Result<(), Reports> {
        match &apply.prior {
            Some(prior) if !plan::is_news(prior, &apply.planned) => {
                steps::keep_results(&mut apply.state, prior);
                Ok(())
            }
            _ => steps::send(context, apply).await,
        }
    }

    /// What was told stays told.
    async fn delete(&self, _context: &Context, _apply: &mut Apply<Notification>) -> Result<(), Reports> {
        Ok(())
    }

    fn import_id(_id: &str) -> Result<Notification, Reports> {
        Err(Error::NoImport.into())
    }

    fn import_identity(_identity: &NoIdentity) -> Result<Notification, Reports> {
        Err(Error::NoImport.into())
    }
}
