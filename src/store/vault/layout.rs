//! What stands where: the keys of a value, our mark, and what both say. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::access::{Endpoint, EngineKind, Identifier, MANAGED_TAG, RoleName, Secret, TARGET_TAG, USERNAME_TAG};
use crate::store::{Contents, Credential, VersionId};

/// Host name of the database, as the gateway's agent reads it.
const HOST: &str = "HOST";
/// Its port, as text.
const PORT: &str = "PORT";
/// The user.
const USER: &str = "USER";
/// The password.
const PASSWORD: &str = "PASSWORD";
/// The database to open.
const DB: &str = "DB";
/// The engine, which the agent does not look at.
const ENGINE: &str = "ENGINE";
/// Our id of the version, which the agent does not look at.
pub(super) const VERSION: &str = "VERSION";
/// Digest of the keepers that the password was made for, which the agent does not look at.
const KEEPERS: &str = "KEEPERS";

/// Each part of a credential under our key and under those of others.
const HOSTS: [&str; 2] = [HOST, "host"];
const PORTS: [&str; 2] = [PORT, "port"];
const USERS: [&str; 3] = [USER, "username", "user"];
const PASSWORDS: [&str; 2] = [PASSWORD, "password"];
const DATABASES: [&str; 3] = [DB, "dbname", "database"];
const ENGINES: [&str; 2] = [ENGINE, "engine"];

/// A value as it stands in Vault: keys and texts.
pub(super) type Fields = BTreeMap<String, String>;

/// The keys of a credential, with our id of the version where it is known.
pub(super) fn fields(credential: &Credential, version: Option<&VersionId>) -> Fields {
    let port = credential.endpoint.as_ref().map(|endpoint| endpoint.port.to_string());
    let parts = [
        (HOST, credential.endpoint.as_ref().map(|endpoint| endpoint.host.clone())),
        (PORT, port),
        (USER, Some(credential.username.as_str().to_owned())),
        (PASSWORD, Some(credential.password.expose().clone())),
        (DB, credential.database.as_ref().map(|database| database.as_str().to_owned())),
        (ENGINE, credential.engine.map(|engine| engine.as_str().to_owned())),
        (VERSION, version.map(|version| version.0.clone())),
        (KEEPERS, credential.keepers.clone()),
    ];
    parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Reads a credential that we or somebody else wrote: our keys, or those of RDS (`username`, `password`, `host`, …).
///
/// # Errors
/// Why it is none. Never holds a value.
pub(super) fn credential(value: &Value) -> Result<Credential, String> {
    let username = text(value, &USERS).ok_or("neither `USER` nor `username` is there")?;
    let password = text(value, &PASSWORDS).ok_or("neither `PASSWORD` nor `password` is there")?;
    let engine = text(value, &ENGINES).and_then(|e| EngineKind::from_rds(&e).or_else(|| e.parse().ok()));
    let port = text(value, &PORTS).and_then(|port| port.parse().ok()).or_else(|| engine.map(EngineKind::default_port));
    Ok(Credential {
        username: username.parse().map_err(|_| "the user is not a user name")?,
        password: Secret::new(password),
        engine,
        endpoint: text(value, &HOSTS).zip(port).map(|(host, port)| Endpoint { host, port }),
        database: text(value, &DATABASES).and_then(|database| database.parse().ok()),
        arn: None,
        master: None,
        keepers: text(value, &[KEEPERS]),
    })
}

/// As [`credential`], as far as the value goes.
///
/// # Errors
/// Neither a user nor a password is there.
pub(super) fn contents(value: &Value) -> Result<Contents, String> {
    let contents = Contents {
        username: text(value, &USERS),
        password: text(value, &PASSWORDS).map(Secret::new),
        engine: text(value, &ENGINES)
            .map(|name| EngineKind::from_rds(&name).map_or(name, |kind| kind.as_str().to_owned())),
        host: text(value, &HOSTS),
        port: text(value, &PORTS).and_then(|port| port.parse().ok()).filter(|port| *port != 0),
        database: text(value, &DATABASES),
        master: None,
        keepers: text(value, &[KEEPERS]),
    };
    match (&contents.username, &contents.password) {
        (None, None) => Err("neither a user nor a password is there".to_owned()),
        _ => Ok(contents),
    }
}

/// The first of these keys that is there, as text.
fn text(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// Where the pending value of a secret lies. The last part of a path of ours holds no `.`, so that no secret has
/// this path.
pub(super) fn pending_path(path: &str) -> String {
    format!("{path}.pending")
}

/// Where the mark of a secret lies in an engine of version 1, which has no metadata.
pub(super) fn mark_path(path: &str) -> String {
    format!("{path}.mark")
}

/// Our mark for the user of a database.
pub(super) fn mark(target: &str, username: &RoleName) -> Fields {
    [(MANAGED_TAG, "true".to_owned()), (TARGET_TAG, target.to_owned()), (USERNAME_TAG, printable(username.as_str()))]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
}

/// The resource id in our mark; `None` where there is no mark.
pub(super) fn target(fields: &Fields) -> Option<&String> {
    fields.get(TARGET_TAG).filter(|_| fields.get(MANAGED_TAG).is_some_and(|value| value == "true"))
}

/// Why a secret with these fields is not ours to write for this user.
pub(super) fn owner(fields: &Fields, username: &RoleName) -> Result<(), String> {
    if target(fields).is_none() {
        return Err(format!("the path is taken by a secret without our mark `{MANAGED_TAG}`"));
    }
    match fields.get(USERNAME_TAG) {
        Some(user) if *user != printable(username.as_str()) => {
            Err("the path is taken by a secret of this provider for another user".to_owned())
        }
        _ => Ok(()),
    }
}

/// Metadata takes printable texts of at most 512 bytes; other characters become `=XX`.
fn printable(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte.is_ascii_graphic() && byte != b'=' {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("={byte:02X}")),
        }
    }
    out.chars().take(512).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written() -> Credential {
        Credential {
            username: "hoop_ro".parse().unwrap(),
            password: "s3cret".into(),
            engine: Some(EngineKind::Postgres),
            endpoint: Some(Endpoint { host: "ledger.example".to_owned(), port: 5432 }),
            database: Some("app".parse().unwrap()),
            arn: None,
            master: None,
            keepers: None,
        }
    }

    #[test]
    fn the_keys_are_those_that_the_agent_reads() {
        let fields = fields(&written(), Some(&VersionId("7".to_owned())));
        let expected = json!({"HOST": "ledger.example", "PORT": "5432", "USER": "hoop_ro", "PASSWORD": "s3cret",
            "DB": "app", "ENGINE": "postgres", "VERSION": "7"});
        assert_eq!(serde_json::to_value(&fields).unwrap(), expected);
        assert_eq!(credential(&expected).unwrap(), written());

        let of_keepers = Credential { keepers: Some("c0ffee".to_owned()), ..written() };
        let value = serde_json::to_value(super::fields(&of_keepers, None)).unwrap();
        assert_eq!((&value["KEEPERS"], credential(&value).unwrap()), (&json!("c0ffee"), of_keepers));
    }

    #[test]
    fn a_secret_of_others_is_read_in_both_spellings() {
        let rds = json!({"username": "hoop_ro", "password": "s3cret", "host": "ledger.example", "port": 5432,
            "dbname": "app", "engine": "postgres"});
        assert_eq!(credential(&rds).unwrap(), written());
        let short = credential(&json!({"USER": "a", "PASSWORD": "b"})).unwrap();
        assert_eq!((short.username.as_str(), short.endpoint), ("a", None));
        assert_eq!(
            contents(&rds).unwrap(),
            contents(&serde_json::to_value(fields(&written(), None)).unwrap()).unwrap()
        );
        assert_eq!(contents(&json!({"PASSWORD": "b", "PORT": "x"})).unwrap().port, None);
    }

    #[test]
    fn an_error_never_repeats_a_value() {
        for value in [json!({"PASSWORD": "hunter2"}), json!({"USER": "hunter2"}), json!("hunter2"), json!(["hunter2"])]
        {
            assert!(!credential(&value).unwrap_err().contains("hunter2"));
            assert!(!format!("{:?}", contents(&value).map(|found| found.password)).contains("hunter2"));
        }
    }

    #[test]
    fn only_our_mark_for_this_user_is_ours() {
        let user: RoleName = "a=b ü".parse().unwrap();
        let ours = mark("db-1", &user);
        assert_eq!(ours[USERNAME_TAG], "a=3Db=20=C3=BC");
        assert_eq!((target(&ours).map(String::as_str), owner(&ours, &user)), (Some("db-1"), Ok(())));
        assert!(owner(&ours, &"other".parse().unwrap()).unwrap_err().contains("another user"));
        assert!(owner(&Fields::new(), &user).unwrap_err().contains("without our mark"));
        let half = Fields::from([(TARGET_TAG.to_owned(), "db-1".to_owned())]);
        assert_eq!(target(&half), None);
    }
}
