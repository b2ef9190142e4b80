//! Vault as a store under test, with either version of its engine. What it keeps is read as a reader would, beside the
//! provider and beside the watch.

use std::cell::OnceCell;
use std::fs::File;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;

use rdsaccess::access::KvVersion;
use serde_json::{Value as Json, json};

use super::stores::{Kept, StoreUnderTest};
use super::watch::{Log, Watch};
use crate::kv::Reader;
use crate::rig::{Database, MadeVault, Rig};
use crate::wish::Wish;

/// Our id of a version, in a value.
const VERSION: &str = "VERSION";
/// The proven version: in the mark of an engine of version 1; with `:<number>` behind it in the metadata of version 2.
const PROVEN: &str = "rdsaccess:version";
/// The pending version, in the mark of an engine of version 1.
const PENDING: &str = "rdsaccess:pending";

/// The stand-in for Vault, with one of its engines.
pub(crate) struct Vault {
    version: KvVersion,
    reader: OnceCell<Reader>,
}

impl Vault {
    pub(crate) fn kv1() -> Self {
        Self { version: KvVersion::One, reader: OnceCell::new() }
    }

    pub(crate) fn kv2() -> Self {
        Self { version: KvVersion::Two, reader: OnceCell::new() }
    }

    fn mount(&self) -> &'static str {
        if self.is_first() { "kv" } else { "secret" }
    }

    fn is_first(&self) -> bool {
        self.version == KvVersion::One
    }

    fn ask(&self, rig: &Rig, method: &str, path: &str, body: &Json) -> Option<Json> {
        self.reader.get_or_init(|| Reader::of(made(rig))).ask(method, &format!("{}/{path}", self.mount()), body)
    }

    fn get(&self, rig: &Rig, path: &str) -> Option<Json> {
        self.ask(rig, "GET", path, &Json::Null).map(|answer| answer["data"].clone())
    }

    /// The versions at a path that can be read, by number, the newest first; of an engine of version 1 there is one.
    fn values(&self, rig: &Rig, path: &str) -> Vec<(u64, Json)> {
        if self.is_first() {
            return self.get(rig, path).map(|value| (1, value)).into_iter().collect();
        }
        let Some(metadata) = self.get(rig, &format!("metadata/{path}")) else { return Vec::new() };
        let versions = metadata["versions"].as_object().expect("versions");
        let mut numbers: Vec<u64> = versions.keys().map(|number| number.parse().expect("a number")).collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let read = numbers.into_iter().filter_map(|number| {
            let found = self.get(rig, &format!("data/{path}?version={number}"))?;
            Some((number, found["data"].clone()))
        });
        read.collect()
    }

    /// Whether a value at the pending path is what a run would go on with. Version 1 needs its mark for that: the run
    /// that was killed between the value and the mark has not given the password to the database.
    fn is_waiting(&self, rig: &Rig, path: &str, value: &Json) -> bool {
        let named = || self.get(rig, &format!("{path}.mark")).is_some_and(|mark| mark[PENDING] == value[VERSION]);
        !self.is_first() || named()
    }

    /// The id of the proven version, as it is written beside the value.
    fn proven(&self, rig: &Rig, path: &str) -> Json {
        if self.is_first() {
            let mark = self.get(rig, &format!("{path}.mark")).unwrap_or_default();
            return if mark.get(PENDING).is_none() { mark[PROVEN].clone() } else { Json::Null };
        }
        let metadata = self.get(rig, &format!("metadata/{path}")).unwrap_or_default();
        metadata["custom_metadata"][format!("{PROVEN}:{}", metadata["current_version"])].clone()
    }
}

impl StoreUnderTest for Vault {
    fn name(&self) -> &'static str {
        if self.is_first() { "Vault KV 1" } else { "Vault KV 2" }
    }

    fn wish(&self, wish: Wish) -> Wish {
        wish.with_vault()
    }

    fn watched(&self, rig: &Rig, watch: &Watch) -> Json {
        let vault = made(rig);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        let (host, own_port) = vault.address.rsplit_once(':').expect("the address has a port");
        watch.stand_before(listener, format!("127.0.0.1:{own_port}"), Box::new(Requests::of(&vault.log)));
        let ca = std::fs::read_to_string(&vault.ca_file).expect("the certificate is there");
        let version = if self.is_first() { 1 } else { 2 };
        json!({
            "vault": { "address": format!("{host}:{port}"), "ca_bundle": ca, "auth": { "token": vault.token } },
            "store": { "vault": { "mount": self.mount(), "kv_version": version } },
        })
    }

    fn keeps(&self) -> usize {
        // `max_versions` of Vault, where nobody sets it.
        if self.is_first() { 1 } else { 10 }
    }

    fn hides_what_waits(&self) -> bool {
        true
    }

    fn versions(&self, rig: &Rig, database: &Database, user: &str) -> Vec<Kept> {
        let path = path(database, user);
        let mut kept = Vec::new();
        for (suffix, waits) in [("", false), (".pending", true)] {
            let values = self.values(rig, &format!("{path}{suffix}"));
            let newest = values.first().map(|(number, _)| *number);
            kept.extend(values.into_iter().map(|(number, value)| {
                let text = |key: &str| value[key].as_str().expect("a text").to_owned();
                let (current, pending) =
                    (!waits && Some(number) == newest, waits && self.is_waiting(rig, &path, &value));
                let previous = !waits && !current;
                Kept { current, pending, previous, username: text("USER"), password: text("PASSWORD") }
            }));
        }
        kept
    }

    fn left_over(&self, rig: &Rig, database: &Database, user: &str) -> Option<String> {
        let path = path(database, user);
        let proven = self.proven(rig, &path);
        let values = self.values(rig, &path);
        let Some((number, value)) = values.first() else { return Some("no current value".to_owned()) };
        if !proven.is_string() || proven != value[VERSION] {
            return Some(format!("the mark names {proven}, and version {number} says {}", value[VERSION]));
        }
        let waits = self.values(rig, &format!("{path}.pending"));
        (!waits.is_empty()).then(|| format!("{} values wait", waits.len()))
    }

    fn purge(&self, rig: &Rig, database: &Database, user: &str) {
        let path = path(database, user);
        for path in [path.clone(), format!("{path}.pending"), format!("{path}.mark")] {
            let path = if self.is_first() { path } else { format!("metadata/{path}") };
            let _gone = self.ask(rig, "DELETE", &path, &Json::Null);
        }
    }

    fn disturb(&self, rig: &Rig, database: &Database, user: &str, password: &str) -> String {
        let path = path(database, user);
        let (id, value) = ("00000000-0000-4000-8000-000000000001", json!({ "USER": user, "PASSWORD": password }));
        if !self.is_first() {
            let _written = self.ask(rig, "POST", &format!("data/{path}.pending"), &json!({ "data": value }));
            return id.to_owned();
        }
        let mut mark = self.get(rig, &format!("{path}.mark")).expect("the secret is there");
        mark[PENDING] = json!(id);
        let value = json!({ "USER": user, "PASSWORD": password, VERSION: id });
        for (path, body) in [(format!("{path}.pending"), value), (format!("{path}.mark"), mark)] {
            let _written = self.ask(rig, "POST", &path, &body);
        }
        id.to_owned()
    }

    fn age(&self, _rig: &Rig, _database: &Database, _user: &str, _version: &str, _seconds: u32) {
        // Whoever may write at the pending path is not told from us, so that the age of a version does not matter.
    }
}

fn made(rig: &Rig) -> &MadeVault {
    rig.made.vault.as_ref().expect("Vault was wished for")
}

fn path(database: &Database, user: &str) -> String {
    let Database { account_id, region, identifier, .. } = database;
    format!("rdsaccess/{account_id}/{region}/db/{identifier}/{user}")
}

/// The request log of the stand-in.
struct Requests {
    log: File,
    /// The beginning of a line that is being written
    rest: String,
}

impl Requests {
    fn of(path: &Path) -> Self {
        Self { log: File::open(path).expect("the stand-in has a log"), rest: String::new() }
    }
}

impl Log for Requests {
    fn news(&mut self) -> Vec<String> {
        self.log.read_to_string(&mut self.rest).expect("the log is read");
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let new: String = self.rest.drain(..whole).collect();
        new.lines().filter_map(|line| effect(&serde_json::from_str(line).expect("JSON"))).collect()
    }

    fn forget(&mut self) {
        let _before = self.news();
    }
}

/// A request that changed a secret, in words without names.
fn effect(entry: &Json) -> Option<String> {
    let (method, path) = (entry["method"].as_str()?, entry["path"].as_str()?);
    let is_done = entry["status"].as_u64().is_some_and(|status| status < 300);
    if !is_done || !["POST", "PUT", "PATCH", "DELETE"].contains(&method) {
        return None;
    }
    let what = match path.split_once('/')? {
        ("secret", rest) => rest.split_once('/')?.0,
        ("kv", rest) if rest.ends_with(".mark") => "mark",
        ("kv", _) => "value",
        _ => return None,
    };
    let which = if path.ends_with(".pending") { " (pending)" } else { "" };
    Some(format!("{method} {what}{which}"))
}

#[test]
fn changes_of_secrets_are_told_from_everything_else() {
    let entry = |method: &str, path: &str, status: u16| {
        effect(&json!({ "method": method, "path": path, "status": status })).unwrap_or_default()
    };
    assert_eq!(entry("POST", "secret/data/a/b.pending", 200), "POST data (pending)");
    assert_eq!(entry("POST", "secret/destroy/a/b.pending", 204), "POST destroy (pending)");
    assert_eq!(entry("POST", "secret/metadata/a/b", 204), "POST metadata");
    assert_eq!(entry("POST", "kv/a/b.mark", 204), "POST mark");
    assert_eq!(entry("DELETE", "kv/a/b.pending", 204), "DELETE value (pending)");
    for nothing in [
        entry("GET", "secret/data/a/b", 200),
        entry("POST", "secret/data/a/b", 400),
        entry("POST", "auth/token/renew-self", 200),
    ] {
        assert_eq!(nothing, "");
    }
}
