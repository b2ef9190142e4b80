//! From `tracing` events to log lines.

use std::fmt;
use std::io::Write;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::line::Entry;
use super::redact::{HIDDEN, is_secret};
use crate::report::with_causes;

/// Our own crate; the binary has the package's name.
const OWN_TARGETS: [&str; 2] = ["rdsaccess", "terraform_provider_rdsaccess"];

/// The libraries whose warnings are printed: those that carry bytes and know nothing of what they mean. Drivers of
/// databases, clients of AWS, Vault and the gateway have requests, answers and credentials in their hands, and some
/// print them with an error; what fails there reaches the caller, in our own words. A library that is added later is
/// silent until somebody has read what it prints.
const HEARD: [&str; 4] = ["h2", "hyper", "hyper_util", "tonic"];

/// The name under which `tracing` hands the message over.
const MESSAGE: &str = "message";

/// Logs to standard error from now on. When nothing is asked for, nothing is installed and a log statement costs one
/// comparison.
pub(in crate::plugin) fn install(level: LevelFilter, clock: fn() -> Timestamp) {
    if level == LevelFilter::OFF {
        return;
    }
    let write = |line: &[u8]| {
        // If standard error is closed there is nobody to tell
        let _ = std::io::stderr().lock().write_all(line);
    };
    // Fails only when a log is installed already, as in a test
    let _ = tracing::subscriber::set_global_default(subscriber(level, clock, write));
}

fn subscriber(
    level: LevelFilter,
    clock: fn() -> Timestamp,
    write: impl Fn(&[u8]) + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    let targets = Targets::new()
        .with_targets(OWN_TARGETS.map(|target| (target, level)))
        .with_targets(HEARD.map(|target| (target, level.min(LevelFilter::WARN))))
        .with_default(LevelFilter::OFF);
    tracing_subscriber::registry().with(HclogLayer { clock, write }.with_filter(targets))
}

struct HclogLayer<W> {
    clock: fn() -> Timestamp,
    write: W,
}

impl<S, W> Layer<S> for HclogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.clone());
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        let message = fields.take_message();
        let entry = Entry {
            level: *metadata.level(),
            module: metadata.target(),
            time: (self.clock)(),
            message,
            fields: fields.0,
        };
        (self.write)(&entry.into_line());
    }
}

/// The values of an event or a span, without those whose name tells a secret.
#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        let value = if is_secret(name) { HIDDEN.into() } else { value.into() };
        self.0.insert(name.to_owned(), value);
    }

    fn take_message(&mut self) -> String {
        match self.0.remove(MESSAGE) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.insert(field, with_causes(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        // Whether there is a secret is none
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<Value> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let write = move |line: &[u8]| sink.lock().unwrap().push(serde_json::from_slice(line).unwrap());
        tracing::subscriber::with_default(subscriber(level, || Timestamp::UNIX_EPOCH, write), work);
        let logged = lines.lock().unwrap();
        logged.clone()
    }

    #[test]
    fn numbers_stay_numbers_and_everything_else_becomes_text() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::info!(target: "rdsaccess::x", calls = 3_u64, ok = true, list = ?[1, 2], "done {}", 1);
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["@message"], "done 1");
        assert_eq!(lines[0]["@module"], "rdsaccess.x");
        assert_eq!(lines[0]["calls"], 3);
        assert_eq!(lines[0]["ok"], true);
        assert_eq!(lines[0]["list"], "[1, 2]");
    }

    #[test]
    fn the_fields_of_the_spans_around_an_event_are_printed_with_it() {
        let lines = logged(LevelFilter::TRACE, || {
            let span = tracing::info_span!(target: "rdsaccess", "call", account = "1", region = tracing::field::Empty);
            span.record("region", "eu-west-1");
            span.in_scope(|| tracing::warn!(target: "rdsaccess", account = "2", "inside"));
        });
        assert_eq!((&lines[0]["account"], &lines[0]["region"]), (&"2".into(), &"eu-west-1".into()));
    }

    #[test]
    fn a_field_called_like_a_secret_is_hidden_in_events_and_spans() {
        let lines = logged(LevelFilter::TRACE, || {
            let span = tracing::info_span!(target: "rdsaccess", "call", token = %"hunter2");
            span.in_scope(|| {
                tracing::info!(target: "rdsaccess", password = "hunter2", secret_string = ?"hunter2", token = 4242, "x");
            });
        });
        let text = serde_json::to_string(&lines).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("4242"), "{text}");
        assert_eq!(lines[0]["password"], HIDDEN);
    }

    /// One event of this level for each target.
    macro_rules! speak {
        ($level:ident: $($target:literal),*) => {$(
            match $level {
                "error" => tracing::error!(target: $target, "everything"),
                "warn" => tracing::warn!(target: $target, "everything"),
                "info" => tracing::info!(target: $target, "everything"),
                "debug" => tracing::debug!(target: $target, "everything"),
                _ => tracing::trace!(target: $target, "everything"),
            }
        )*};
    }

    #[test]
    fn only_libraries_that_know_no_secret_are_heard_and_only_their_warnings() {
        let lines = logged(LevelFilter::TRACE, || {
            for level in ["error", "warn", "info", "debug", "trace"] {
                speak!(level: "aws_smithy_runtime", "aws_config", "aws_sdk_secretsmanager", "aws_sigv4", "reqwest");
                speak!(level: "tokio_postgres", "mysql_async", "tiberius", "vaultrs", "rustify", "added_later");
            }
            tracing::debug!(target: "hyper", "bytes");
            tracing::info!(target: "h2", "frames");
            tracing::warn!(target: "tonic::transport", "heard");
            tracing::trace!(target: "rdsaccess::engine", "heard");
        });
        let messages: Vec<_> = lines.iter().map(|line| &line["@message"]).collect();
        assert_eq!(messages, ["heard", "heard"]);
    }

    #[test]
    fn a_level_silences_everything_below_it_libraries_too() {
        let lines = logged(LevelFilter::ERROR, || {
            tracing::warn!(target: "hyper", "quiet");
            tracing::warn!(target: "rdsaccess", "quiet");
            tracing::error!(target: "rdsaccess", "heard");
        });
        assert_eq!(lines.len(), 1);
    }
}
