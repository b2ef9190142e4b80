//! What keeps secrets out of logs and state by construction: one type carries them, log statements print no `Debug` text,
//! and the schema marks every attribute that holds one.

use std::path::PathBuf;

use rdsaccess::provider::{ProviderModel, Rdsaccess, Variables};
use rdsaccess::schema::{Attribute, Model, Provider};

use crate::house::sources;

/// What only `Secret` may carry, as the names of fields.
const CARRIED: [&str; 11] = [
    "password",
    "password_wo",
    "token",
    "client_token",
    "session_token",
    "secret_key",
    "secret_id",
    "secret_string",
    "api_key",
    "private_key",
    "passphrase",
];

/// Types that print what they hold.
const PRINTED: [&str; 5] = ["String", "Vec<u8>", "Box<str>", "Box<[u8]>", "Bytes"];

/// Fields of log statements whose `Debug` text may be printed: times, and enumerations without any text.
const SHOWN: [&str; 3] = ["elapsed", "pause", "reason"];

/// The files of the program with their text up to the tests in them.
fn program() -> Vec<(PathBuf, String)> {
    let is_test = |path: &PathBuf| path.iter().any(|part| part == "tests" || part == "tests.rs");
    let files = sources().into_iter().filter(|path| !is_test(path));
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
            (path, text[..end].to_owned())
        })
        .collect()
}

/// The name of a field that holds a secret as a text that prints itself.
fn plain_carrier(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub").map_or(line, |rest| rest.trim_start_matches(|c| c != ' ').trim_start());
    let (name, kind) = line.split_once(": ")?;
    let mut kind = kind.split([',', '=']).next()?.trim();
    while let Some(inner) = ["Option<", "Attr<"].iter().find_map(|outer| kind.strip_prefix(outer)) {
        kind = inner.strip_suffix('>').unwrap_or(inner);
    }
    (CARRIED.contains(&name) && PRINTED.contains(&kind)).then_some(name)
}

/// The fields of the log statements in a text that print a `Debug` text.
fn debug_fields(text: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (name, statement) in text.split("tracing::").skip(1).filter_map(|rest| rest.split_once("!(")) {
        if word(name) != name {
            continue;
        }
        let statement = statement.split(");").next().unwrap_or_default();
        // `?name` and `name = ?value`; a `?` behind a value is another thing.
        for part in statement.split(',').map(str::trim) {
            match part.split_once('?') {
                Some(("", name)) => found.push(word(name)),
                Some((before, _)) if before.trim_end().ends_with('=') => found.push(word(part)),
                _ => {}
            }
        }
        if statement.contains(":?}") {
            found.push("{:?}".to_owned());
        }
    }
    found
}

#[test]
fn only_one_type_carries_secrets() {
    let mut wrong = Vec::new();
    for (path, text) in program() {
        wrong.extend(text.lines().filter_map(plain_carrier).map(|name| format!("{}: {name}", path.display())));
    }
    assert!(wrong.is_empty(), "a secret that is no `Secret`:\n{}", wrong.join("\n"));
}

#[test]
fn no_log_statement_prints_a_debug_text() {
    let mut wrong = Vec::new();
    for (path, text) in program() {
        let fields = debug_fields(&text).into_iter().filter(|name| !SHOWN.contains(&name.as_str()));
        wrong.extend(fields.map(|name| format!("{}: {name}", path.display())));
    }
    assert!(wrong.is_empty(), "a value may hold a secret somewhere inside:\n{}", wrong.join("\n"));
}

#[test]
fn the_readers_of_the_source_see_what_they_should() {
    for line in
        ["    pub password: Option<String>,", "token: Attr<String> = optional(),", "  pub(super) secret_id: Vec<u8>,"]
    {
        assert!(plain_carrier(line).is_some(), "{line}");
    }
    for line in ["pub password: Option<Secret<String>>,", "token: &str,", "/// password: String", "secret_ref: String,"]
    {
        assert_eq!(plain_carrier(line), None, "{line}");
    }
    let text = "tracing::debug!(?request, status = 1, body = ?answer.body, elapsed = ?t, \"x {:?}\", y);\nf(a?, b)";
    assert_eq!(debug_fields(text), ["request", "body", "elapsed", "{:?}"]);
}

fn unmarked(owner: &str, attributes: &[Attribute], wrong: &mut Vec<String>) {
    for attribute in attributes {
        let name = format!("{owner}.{}", attribute.name);
        if CARRIED.contains(&attribute.name) && !attribute.flags.sensitive && !attribute.flags.write_only {
            wrong.push(name.clone());
        }
        unmarked(&name, attribute.nested(), wrong);
    }
}

#[test]
fn every_attribute_that_holds_a_secret_is_marked_and_no_state_has_one() {
    let (provider, mut wrong) = (Rdsaccess::new(Variables::default()), Vec::new());
    unmarked("provider", &ProviderModel::attributes(), &mut wrong);
    provider.resources().iter().for_each(|r| unmarked(r.name(), &r.attributes(), &mut wrong));
    provider.data_sources().iter().for_each(|d| unmarked(d.name(), &d.attributes(), &mut wrong));
    provider.ephemerals().iter().for_each(|e| unmarked(e.name(), &e.attributes(), &mut wrong));
    for (name, attributes) in provider
        .resources()
        .iter()
        .map(|r| (r.name(), r.attributes()))
        .chain(provider.data_sources().iter().map(|d| (d.name(), d.attributes())))
    {
        kept(name, &attributes, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is sensitive and not write-only would be kept in the state.
fn kept(owner: &str, attributes: &[Attribute], wrong: &mut Vec<String>) {
    for attribute in attributes {
        let name = format!("{owner}.{}", attribute.name);
        if attribute.flags.sensitive && !attribute.flags.write_only {
            wrong.push(format!("{name} would be in the state"));
        }
        kept(&name, attribute.nested(), wrong);
    }
}
