//! The steps of an apply that tells something.

use crate::access::{Secret, Target};
use crate::context::{Context, Found, Takes, TargetError};
use crate::notify::{Delivery, Event, Hook, HookStatus, Passwords, Ran, Receipt, Receiver, Redactor, SecretPlace};
use crate::report::Report;
use crate::schema::{Apply, Attr, Reports};
use crate::value::Path;

use super::error::Error;
use super::event::event;
use super::model::{Notification, Webhook};
use super::rules;

/// Runs the command, sends the event, and keeps what came of both. Everything that can be checked is checked before the
/// first of them.
pub(super) async fn send(context: &Context, apply: &mut Apply<Notification>) -> Result<(), Reports> {
    let receiver = check(context, apply)?;
    let event = told(context, apply).await?;
    let hook = match hook(context, apply, &event).await? {
        Some(hook) => Some(hook.run().await?),
        None => None,
    };
    if let Some(ran) = &hook {
        apply.warnings.extend(warning(apply, ran));
    }
    let receipt = match &receiver {
        Some(receiver) => {
            let status = hook.as_ref().map(status);
            let payload = event.payload(&context.timestamp(), status.as_ref());
            let delivery = Delivery { id: event.id.clone(), payload, within: time(apply) };
            Some(context.sender().deliver(receiver, &delivery).await?)
        }
        None => None,
    };
    keep(context, apply, &event, hook);
    if receipt == Some(Receipt::Known) {
        nothing_new(apply, &event);
    }
    Ok(())
}

/// Nothing new was told: the results stay as they are, also where a plan could not know that yet.
pub(super) fn keep_results(state: &mut Notification, prior: &Notification) {
    state.event_id = prior.event_id.clone();
    state.status = prior.status.clone();
    state.message = prior.message.clone();
    state.sent_at = prior.sent_at.clone();
    state.exit_code = prior.exit_code.clone();
    state.output = prior.output.clone();
}

/// The rules once more: an ephemeral value is another one at apply than at plan.
fn check(context: &Context, apply: &Apply<Notification>) -> Result<Option<Receiver>, Reports> {
    let mut problems = rules::problems(&apply.config);
    problems.extend(rules::no_secret(&apply.config));
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if apply.planned.command.is_known() {
        context.check_commands()?;
    }
    Ok(apply.config.webhook.get().map(receiver).transpose()?)
}

fn receiver(webhook: &Webhook) -> Result<Receiver, Error> {
    let secret = webhook.secret_wo.get().ok_or(Error::NoSecret)?;
    let address = webhook.url.get().map(|url| url.parse()).transpose().map_err(Error::BadSecret)?;
    let receiver = match (webhook.svix.get().and_then(|svix| svix.app_id.get()), address) {
        (Some(application), server) => Receiver::svix(server, application, secret),
        (None, Some(address)) => Receiver::endpoint(address, secret),
        (None, None) => return Err(Error::NoSecret),
    };
    receiver.map_err(Error::BadSecret)
}

/// The event, with the database as AWS describes it.
async fn told(context: &Context, apply: &Apply<Notification>) -> Result<Event, Reports> {
    let target = target(context, &apply.planned).await?;
    let caller = context.aws()?.caller().await?;
    let before = apply.prior.as_ref().and_then(|prior| prior.event_id.get()).map(String::as_str);
    Ok(event(&apply.planned, before, &target, &caller.arn, &context.timestamp()))
}

async fn target(context: &Context, planned: &Notification) -> Result<Target, Reports> {
    let Some(arn) = planned.target_arn.get() else {
        let detail = "`target_arn` has no value. Plan again.";
        return Err(Report::error("The database is not known", detail).at(Path::attribute("target_arn")).into());
    };
    match context.find(arn, Takes::ReplicasToo).await? {
        Found::Target(target) => Ok(*target),
        Found::Gone => Err(TargetError::Gone(arn.clone()).into()),
    }
}

fn time(apply: &Apply<Notification>) -> std::time::Duration {
    apply.planned.timeout.get().unwrap_or(&rules::DEFAULT_TIMEOUT).duration()
}

/// The command with everything that it gets.
async fn hook(context: &Context, apply: &Apply<Notification>, event: &Event) -> Result<Option<Hook>, Reports> {
    let Some(command) = apply.planned.command.get() else { return Ok(None) };
    let passwords = passwords(context, apply, event).await?;
    let key = apply.config.webhook.get().and_then(|webhook| webhook.secret_wo.get());
    let redactor = Redactor::new(passwords.roles.iter().chain([&passwords.master]).chain(key));
    Ok(Some(Hook {
        event: event.id.clone(),
        command: command.clone(),
        environment: context.command_environment().to_vec(),
        request: event.request(&passwords, command),
        response: event.response(&passwords),
        within: time(apply),
        redactor,
    }))
}

/// The passwords that the command gets: none, or those that the stores hold now.
async fn passwords(context: &Context, apply: &Apply<Notification>, event: &Event) -> Result<Passwords, Reports> {
    if apply.planned.include_secrets.get() != Some(&true) {
        return Ok(Passwords::none());
    }
    let mut roles = Vec::new();
    for role in &event.roles {
        roles.push(match &role.secret {
            SecretPlace::At(secret_ref) => match context.try_secret(secret_ref).await? {
                Ok(credential) => credential.password,
                Err(why) => return Err(Error::NoPassword { username: role.username.clone(), why }.into()),
            },
            SecretPlace::Tokens | SecretPlace::Unnamed => "".into(),
        });
    }
    Ok(Passwords { master: master(context, &apply.planned).await?, roles })
}

/// The master user's password, where its secret is known.
async fn master(context: &Context, planned: &Notification) -> Result<Secret<String>, Reports> {
    match context.master_secret(&target(context, planned).await?).await? {
        Some(secret_ref) => Ok(context.read_secret(&secret_ref).await?.password),
        None => Ok("".into()),
    }
}

fn status(ran: &Ran) -> HookStatus {
    HookStatus { exit_code: ran.exit_code, output: ran.output.clone(), seconds: ran.took.as_secs() }
}

/// The end of a command that is not a good one.
fn warning(apply: &Apply<Notification>, ran: &Ran) -> Option<Report> {
    let program = apply.planned.command.get().and_then(|command| command.first()).cloned().unwrap_or_default();
    let said =
        if ran.output.is_empty() { "It said nothing.".to_owned() } else { format!("It said:\n\n{}", ran.output) };
    let summary = match ran.exit_code {
        0 => return None,
        _ if ran.is_late => "The command was out of time and was ended",
        _ => "The command failed",
    };
    let how = if ran.is_late {
        format!(
            "`{program}` did not end within {} s and was ended with every process of its group.",
            time(apply).as_secs()
        )
    } else {
        format!("`{program}` ended with the exit code {}.", ran.exit_code)
    };
    let next =
        "The roles are as `status` says, and `exit_code` is kept. To have the command run again change `triggers`.";
    Some(Report::warning(summary, format!("{how} {said}\n\n{next}")).at(Path::attribute("command")))
}

/// Svix had the event. Whether that is the one of a run that was interrupted only the reader can know.
fn nothing_new(apply: &mut Apply<Notification>, event: &Event) {
    let said = format!("Svix had event {} before, nothing was sent again", event.id);
    let detail = format!(
        "{said}. An apply that was interrupted has sent it, or a notification with the same arguments was destroyed and \
         made again. Change `triggers` to send another event."
    );
    let at = Path::attribute("webhook").field("svix");
    apply.warnings.push(Report::warning("Svix has this event already", detail).at(at));
    let roles = event.message();
    apply.state.message = if roles.is_empty() { said } else { format!("{roles}. {said}") }.into();
}

fn keep(context: &Context, apply: &mut Apply<Notification>, event: &Event, hook: Option<Ran>) {
    if !event.is_completed() {
        let detail = format!("The event {} says `failed`. {}.", event.id, event.message());
        apply.warnings.push(Report::warning("Roles are not in order", detail).at(Path::attribute("results")));
    }
    let state = &mut apply.state;
    state.event_id = event.id.clone().into();
    state.status = event.status().to_owned().into();
    state.message = event.message().into();
    state.sent_at = context.timestamp().into();
    (state.exit_code, state.output) = match hook {
        Some(ran) => (ran.exit_code.into(), ran.output.into()),
        None => (Attr::Null, Attr::Null),
    };
}
