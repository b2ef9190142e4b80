//! One log entry as one line of JSON.

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::Level;

/// The longest line in bytes. Hosts split lines above 64 KiB and then take none of the parts for JSON.
const MAX_LINE: usize = 60 * 1024;

/// The longest single text in bytes.
const MAX_TEXT: usize = 16 * 1024;

/// The longest message of an entry that had to lose its fields; a byte grows to six at most (`\u001b`).
const MAX_LONE_MESSAGE: usize = 8 * 1024;

/// What is logged.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) level: Level,
    pub(super) module: &'a str,
    pub(super) time: Timestamp,
    pub(super) message: String,
    pub(super) fields: Map<String, Value>,
}

impl Entry<'_> {
    /// The line with its line feed. The four reserved keys are always strings, whatever the fields are called.
    pub(super) fn into_line(mut self) -> Vec<u8> {
        clip(&mut self.message, MAX_TEXT);
        let fields = std::mem::take(&mut self.fields);
        let line = self.encode(fields.into_iter().map(|(name, value)| (free_name(name), clipped(value))).collect());
        if line.len() <= MAX_LINE {
            return line;
        }
        clip(&mut self.message, MAX_LONE_MESSAGE);
        self.encode(Map::from_iter([("truncated".to_owned(), Value::Bool(true))]))
    }

    fn encode(&self, mut object: Map<String, Value>) -> Vec<u8> {
        object.insert("@level".to_owned(), level_name(self.level).into());
        object.insert("@message".to_owned(), self.message.as_str().into());
        object.insert("@module".to_owned(), self.module.replace("::", ".").into());
        object.insert("@timestamp".to_owned(), self.time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into());
        let mut line = Value::Object(object).to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

/// Names that begin with `@` are reserved.
fn free_name(name: String) -> String {
    if name.starts_with('@') { name.trim_start_matches('@').to_owned() } else { name }
}

fn clipped(value: Value) -> Value {
    match value {
        Value::String(mut text) => {
            clip(&mut text, MAX_TEXT);
            Value::String(text)
        }
        other => other,
    }
}

fn clip(text: &mut String, max: usize) {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(message: &str, fields: &[(&str, Value)]) -> Entry<'static> {
        Entry {
            level: Level::INFO,
            module: "rdsaccess::plugin::line",
            time: "2026-11-22T01:02:03.5Z".parse().unwrap(),
            message: message.to_owned(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        }
    }

    fn decode(line: &[u8]) -> Value {
        assert!(line.ends_with(b"\n"));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(line.len() <= 64 * 1024, "{}", line.len());
        serde_json::from_slice(line).unwrap()
    }

    #[test]
    fn the_line_is_what_a_host_reads() {
        let line = entry("hello\nworld", &[("account", "123456789012".into()), ("calls", 3.into())]).into_line();
        let expected = concat!(
            r#"{"@level":"info","@message":"hello\nworld","@module":"rdsaccess.plugin.line","#,
            r#""@timestamp":"2026-11-22T01:02:03.500000Z","account":"123456789012","calls":3}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn a_field_cannot_take_the_place_of_a_reserved_key() {
        let json = decode(&entry("m", &[("@level", 7.into()), ("@message", 8.into())]).into_line());
        assert_eq!((&json["@level"], &json["@message"]), (&"info".into(), &"m".into()));
        assert_eq!((&json["level"], &json["message"]), (&7.into(), &8.into()));
    }

    #[test]
    fn long_entries_stay_one_readable_line() {
        let long = "ä".repeat(100_000);
        decode(&entry(&long, &[]).into_line());
        decode(&entry("m", &[("a", long.as_str().into())]).into_line());
        let escapes = "\u{1b}".repeat(100_000);
        let fields = [("a", escapes.as_str().into()), ("b", long.as_str().into()), ("c", long.as_str().into())];
        let json = decode(&entry(&escapes, &fields).into_line());
        assert_eq!(json["truncated"], true);
    }
}
