//! Rules over several attributes that need no network. Unknown values are not judged.

use crate::access::Span;
use crate::notify::{Address, Receiver, svix_messages};
use crate::report::{Report, sentence};

use crate::schema::{Attr, Limits, Timeouts};
use crate::value::Path;

use super::model::{Notification, Webhook};

/// How long the calls may take where `timeouts` says nothing.
pub(super) const LIMITS: Limits = Limits { create: 1_800, read: 60, update: 1_800, delete: 60 };
/// `timeout` where it is not set.
pub(super) const DEFAULT_TIMEOUT: Span = Span::from_seconds(300);

/// Everything that is wrong with a configuration, as far as it is known: write-only arguments are in no plan. That a key
/// is missing is no mistake of the configuration: only a run that sends needs one, see `no_secret`.
pub(super) fn problems(config: &Notification) -> Vec<Report> {
    let mut found = Vec::new();
    if config.webhook.is_null() && config.command.is_null() {
        found.push(
            Report::error("Nobody is told", "A notification needs a receiver. Set `webhook`, `command`, or both.")
                .at(Path::attribute("webhook")),
        );
    }
    found.extend(no_roles(config));
    if let Some(webhook) = config.webhook.get() {
        found.extend(address(webhook));
        found.extend(application(webhook));
        found.extend(secret(webhook));
    }
    found.extend(passwords_for_nobody(config));
    found.extend(too_long(config));
    found
}

fn at(name: &str) -> Path {
    Path::attribute("webhook").field(name)
}

/// An event without roles says `completed` of nothing.
fn no_roles(config: &Notification) -> Option<Report> {
    config.results.get().is_some_and(Vec::is_empty).then(|| {
        let detail = "`results` is empty, so that there is nothing to tell. Give it a role at least; where there may be \
                      none, leave the notification out with `count` or `for_each`.";
        Report::error("No roles to tell of", detail).at(Path::attribute("results"))
    })
}

fn address(webhook: &Webhook) -> Option<Report> {
    (webhook.url.is_null() && webhook.svix.is_null()).then(|| {
        let detail =
            "An event goes to the endpoint `url`, or through the API of Svix to the application of `svix`. Set one.";
        Report::error("The webhook has no address", detail).at(at("url"))
    })
}

/// Whether the address and the application together are a place in the API of Svix.
fn application(webhook: &Webhook) -> Option<Report> {
    let application = webhook.svix.get()?.app_id.get()?;
    let server = match &webhook.url {
        Attr::Known(url) => url.as_str(),
        _ => "https://api.svix.com",
    };
    let why = svix_messages(server.parse().ok()?, application).err()?;
    let attribute = if webhook.url.is_known() { "url" } else { "svix" };
    Some(Report::error("No application of Svix", sentence(&why.to_string())).at(at(attribute)))
}

/// Whether the key could sign, or the token go into a header.
fn secret(webhook: &Webhook) -> Option<Report> {
    let key = webhook.secret_wo.get()?;
    let (summary, judged) = match &webhook.svix {
        Attr::Null => {
            let anywhere: Address = "https://hooks.example.com".parse().ok()?;
            ("The signing key is not one", Receiver::endpoint(anywhere, key))
        }
        // What the application is called changes nothing about the token.
        Attr::Known(_) => ("The token of Svix is not one", Receiver::svix(None, "app", key)),
        Attr::Unknown => return None,
    };
    Some(Report::error(summary, sentence(&judged.err()?.to_string())).at(at("secret_wo")))
}

/// The key or token that a run which sends lacks. Plan and apply each have the configuration with the value of the day.
pub(super) fn no_secret(config: &Notification) -> Option<Report> {
    let webhook = config.webhook.get().filter(|webhook| webhook.secret_wo.is_null())?;
    let (summary, what) = match &webhook.svix {
        Attr::Known(_) => ("Svix needs a token", "a token of the API of Svix"),
        Attr::Null => {
            ("The webhook has no signing key", "the key of the endpoint, without which anybody could send it")
        }
        Attr::Unknown => ("The webhook has no key", "the key of the endpoint, or a token of the API of Svix"),
    };
    let detail = format!(
        "This run sends an event, and `webhook.secret_wo` has no value. Give it {what}. A plan does not keep the value: \
         where it comes from an ephemeral variable, give that to the plan and again to the apply of a saved plan. A plan \
         that sends nothing, and a destroy, need none."
    );
    Some(Report::error(summary, detail).at(at("secret_wo")))
}

fn passwords_for_nobody(config: &Notification) -> Option<Report> {
    (config.include_secrets.get() == Some(&true) && config.command.is_null()).then(|| {
        Report::error(
            "Nobody gets the passwords",
            "`include_secrets` gives passwords to a command, and there is none; a webhook never gets one. Leave \
             `include_secrets` out, or set `command`.",
        )
        .at(Path::attribute("include_secrets"))
    })
}

/// A call that ends before the command or the event is out of time would never say what came of it.
fn too_long(config: &Notification) -> Option<Report> {
    let timeout = timeout(config)?;
    let short = shorter_calls(config, timeout);
    let calls = words(&short)?;
    let receivers = u64::from(!config.webhook.is_null()) + u64::from(!config.command.is_null());
    let wanted = Span::from_seconds(timeout.seconds() * receivers.max(1));
    let fix: Vec<String> = short.iter().map(|(call, _)| format!("{call} = \"…\"")).collect();
    let detail = format!(
        "`timeout` is {timeout}, and {calls}: the call would be broken off before the command or the event is out of time. \
         Lower `timeout`, or set `timeouts = {{ {} }}` to more than {wanted}.",
        fix.join(", "),
    );
    Some(Report::error("`timeout` is not below `timeouts`", detail).at(Path::attribute("timeout")))
}

/// Whether the command and the event, one after the other, may take longer than a call.
pub(super) fn too_long_together(config: &Notification) -> Option<Report> {
    let timeout = timeout(config)?;
    if config.webhook.is_null() || config.command.is_null() {
        return None;
    }
    let both = Span::from_seconds(timeout.seconds() * 2);
    let calls = words(&shorter_calls(config, both))?;
    let detail = format!(
        "`timeout` is {timeout} for the command and as long for the event, together {both}, and {calls}. Should both need \
         their time the event is broken off, and the next apply runs the command again. Lower `timeout`, or raise \
         `timeouts`."
    );
    Some(
        Report::warning("`timeout` of command and event together is not below `timeouts`", detail)
            .at(Path::attribute("timeout")),
    )
}

fn timeout(config: &Notification) -> Option<Span> {
    match &config.timeout {
        Attr::Known(timeout) => Some(*timeout),
        Attr::Null => Some(DEFAULT_TIMEOUT),
        Attr::Unknown => None,
    }
}

/// The calls that end at this time or before, with their time-outs.
fn shorter_calls(config: &Notification, time: Span) -> Vec<(&'static str, Span)> {
    let nothing = Timeouts::default();
    let timeouts = match &config.timeouts {
        Attr::Known(timeouts) => timeouts,
        Attr::Null => &nothing,
        Attr::Unknown => return Vec::new(),
    };
    let calls = [("create", &timeouts.create, LIMITS.create), ("update", &timeouts.update, LIMITS.update)];
    let known = calls.into_iter().filter_map(|(call, set, default)| match set {
        Attr::Known(limit) => Some((call, *limit)),
        Attr::Null => Some((call, Span::from_seconds(default))),
        Attr::Unknown => None,
    });
    known.filter(|(_, limit)| limit.seconds() <= time.seconds()).collect()
}

/// `timeouts.create` is 30m and `timeouts.update` is 30m.
fn words(calls: &[(&str, Span)]) -> Option<String> {
    let words: Vec<String> = calls.iter().map(|(call, limit)| format!("`timeouts.{call}` is {limit}")).collect();
    (!words.is_empty()).then(|| words.join(" and "))
}

/// Whether everybody in between could read the event.
pub(super) fn clear_text(webhook: &Webhook) -> Option<Report> {
    let address: Address = webhook.url.get()?.parse().ok()?;
    let what = if webhook.svix.is_known() { "The event and the token of Svix travel" } else { "The event travels" };
    address.is_clear_text().then(|| {
        let detail =
            format!("The address {address} has no TLS: everybody in between can read it. Use an `https://` address.");
        Report::warning(format!("{what} in clear text"), detail).at(at("url"))
    })
}
