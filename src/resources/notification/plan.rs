//! What a plan promises beyond the declarations.

use crate::context::Context;
use crate::schema::{Attr, Change, Reports};

use super::model::Notification;
use super::rules::{clear_text, no_secret, problems, too_long_together};

/// Says whether there is something to tell, and refuses what could not be told.
pub(super) fn plan(context: &Context, change: &mut Change<Notification>) -> Result<(), Reports> {
    let found = problems(&change.config);
    if !found.is_empty() {
        return Err(found.into());
    }
    if !change.planned.command.is_null() {
        context.check_commands()?;
    }
    if change.prior.as_ref().is_none_or(|prior| is_news(prior, &change.planned)) {
        if let Some(problem) = no_secret(&change.config) {
            return Err(problem.into());
        }
        change.warnings.extend(change.planned.webhook.get().and_then(clear_text));
        change.warnings.extend(too_long_together(&change.config));
        forget_results(&mut change.planned);
    }
    Ok(())
}

/// Whether something else is to be told than before. What is not known yet may be.
pub(super) fn is_news(prior: &Notification, planned: &Notification) -> bool {
    prior.target_arn != planned.target_arn || prior.results != planned.results || prior.triggers != planned.triggers
}

fn forget_results(planned: &mut Notification) {
    planned.event_id = Attr::Unknown;
    planned.status = Attr::Unknown;
    planned.message = Attr::Unknown;
    planned.sent_at = Attr::Unknown;
    planned.exit_code = Attr::Unknown;
    planned.output = Attr::Unknown;
}
