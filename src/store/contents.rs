//! What a secret of a database says: of ours, of RDS and of others.

use serde::{Deserialize, Deserializer};

use crate::access::{EngineKind, Secret, SecretRef, SecretStage};

use super::credential::Malformed;
use super::{Credential, Error, Fault, Store, VersionId};

/// The keys of a secret in the form of RDS. Secrets of others may lack any of them; RDS itself stores only `username`
/// and `password`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Contents {
    /// User
    pub username: Option<String>,
    /// Password
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<Secret<String>>,
    /// Engine, in our words where it is one of ours
    #[serde(default, deserialize_with = "engine")]
    pub engine: Option<String>,
    /// Host name
    pub host: Option<String>,
    /// TCP port, written as a number or as a text
    #[serde(default, deserialize_with = "port")]
    pub port: Option<u16>,
    /// Database to connect to
    #[serde(rename = "dbname")]
    pub database: Option<String>,
}

/// A version of a secret that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id, as the store names it
    pub id: VersionId,
    /// What it says
    pub contents: Contents,
}

impl Contents {
    /// Reads the JSON.
    ///
    /// # Errors
    /// A text of another form, or one without a user name and without a password.
    pub fn from_json(text: &Secret<String>) -> Result<Self, Malformed> {
        let contents: Self = serde_json::from_str(text.expose())
            // The error of the parser would repeat a part of the text.
            .map_err(|_| Malformed("it is not a JSON object with texts"))?;
        if contents.username.is_none() && contents.password.is_none() {
            return Err(Malformed("`username` and `password` are missing"));
        }
        Ok(contents)
    }
}

impl From<Credential> for Contents {
    fn from(credential: Credential) -> Self {
        let (host, port) = credential.endpoint.map(|endpoint| (endpoint.host, endpoint.port)).unzip();
        Self {
            username: Some(credential.username.to_string()),
            password: Some(credential.password),
            engine: credential.engine.map(|engine| engine.to_string()),
            host,
            port,
            database: credential.database.map(|database| database.to_string()),
        }
    }
}

/// A version of a secret in a store that tells proven and pending ones apart by itself.
///
/// # Errors
/// [`Fault::Unproven`], [`Fault::Gone`], [`Fault::NoVersion`] (no such store gives the previous one), or the store's own.
pub async fn read_version(store: &dyn Store, secret_ref: &SecretRef, stage: SecretStage) -> Result<Version, Error> {
    let refuse = |fault| Error::new(secret_ref, fault);
    let held = store.look(secret_ref).await?.filter(|held| !held.deleted).ok_or_else(|| refuse(Fault::Gone))?;
    let id = match (stage, held.proven, held.pending) {
        (SecretStage::Current, Some(proven), _) => proven,
        (SecretStage::Current, None, Some(_)) => return Err(refuse(Fault::Unproven)),
        (SecretStage::Pending, _, Some(pending)) => pending,
        _ => return Err(refuse(Fault::NoVersion(stage))),
    };
    let contents = store.value(secret_ref, &id).await?.into();
    Ok(Version { id, contents })
}

fn secret<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::<String>::deserialize(value)?.map(Secret::new))
}

fn engine<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let ours = |name: String| EngineKind::from_rds(&name).map_or(name, |kind| kind.as_str().to_owned());
    Ok(Option::<String>::deserialize(value)?.map(ours))
}

fn port<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u16>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u16),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::<Written>::deserialize(value)? {
        Some(Written::Number(port)) => Some(port),
        Some(Written::Text(text)) => text.trim().parse().ok(),
        Some(Written::Other(_)) | None => None,
    }
    .filter(|port| *port != 0))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::access::RoleName;
    use crate::store::{Held, Place, Reply};

    /// A store with one secret; the value of a version is its id.
    struct One(Option<Held>);

    impl Store for One {
        fn find<'a>(&'a self, _: &'a Place) -> Reply<'a, Option<Held>> {
            unreachable!("a reference names the secret")
        }

        fn look<'a>(&'a self, _: &'a SecretRef) -> Reply<'a, Option<Held>> {
            Box::pin(async { Ok(self.0.clone()) })
        }

        fn value<'a>(&'a self, _: &'a SecretRef, version: &'a VersionId) -> Reply<'a, Credential> {
            let text = format!(r#"{{"username":"app","password":"{}"}}"#, version.0);
            Box::pin(async move { Ok(Credential::from_json(&Secret::new(text)).unwrap()) })
        }

        fn put_pending<'a>(&'a self, _: &'a Place, _: &'a str, _: &'a RoleName, _: &'a Credential) -> Reply<'a, Held> {
            unreachable!("a reader writes nothing")
        }

        fn promote<'a>(&'a self, _: &'a SecretRef, _: &'a VersionId) -> Reply<'a, ()> {
            unreachable!("a reader writes nothing")
        }

        fn forget<'a>(&'a self, _: &'a SecretRef) -> Reply<'a, ()> {
            unreachable!("a reader writes nothing")
        }
    }

    /// What a reader gets of a secret with these versions, by the stage that it asks for.
    fn reads(proven: Option<&str>, pending: Option<&str>, deleted: bool) -> [Result<String, String>; 3] {
        let version = |id: Option<&str>| id.map(|id| VersionId(id.to_owned()));
        let secret_ref: SecretRef = "vault:kv2::kv:a".parse().unwrap();
        let (proven, pending) = (version(proven), version(pending));
        let one = One(Some(Held { secret_ref: secret_ref.clone(), proven, pending, target: None, deleted }));
        SecretStage::ALL.map(|stage| {
            let read = read_version(&one, &secret_ref, stage).now_or_never().unwrap();
            let read = read.map_err(|error| error.fault.to_string())?;
            assert_eq!(read.contents.password, Some(Secret::new(read.id.0.clone())));
            Ok(read.id.0)
        })
    }

    #[test]
    fn a_version_is_read_by_its_stage_and_an_unproven_one_only_when_asked_for() {
        let ok = |id: &str| Ok(id.to_owned());
        let no = |fault: Fault| Err(fault.to_string());
        let missing = |stage| no(Fault::NoVersion(stage));
        let (pending, previous) = (missing(SecretStage::Pending), missing(SecretStage::Previous));
        assert_eq!(reads(Some("1"), None, false), [ok("1"), pending.clone(), previous.clone()]);
        assert_eq!(reads(Some("1"), Some("2"), false), [ok("1"), ok("2"), previous.clone()]);
        assert_eq!(reads(None, Some("1"), false), [no(Fault::Unproven), ok("1"), previous.clone()]);
        assert_eq!(reads(None, None, false), [missing(SecretStage::Current), pending, previous]);
        assert_eq!(reads(Some("1"), None, true), [no(Fault::Gone), no(Fault::Gone), no(Fault::Gone)]);
    }

    fn read(text: &str) -> Contents {
        Contents::from_json(&text.into()).unwrap()
    }

    #[test]
    fn what_this_provider_writes_is_read_whole() {
        let credential = Credential {
            username: "hoop_ro".parse().unwrap(),
            password: "s3cret\"\\é".into(),
            engine: Some(EngineKind::Postgres),
            endpoint: Some(crate::access::Endpoint { host: "ledger.example".to_owned(), port: 6432 }),
            database: Some("app".parse().unwrap()),
            arn: Some("arn:aws:rds:eu-central-1:123456789012:db:ledger".parse().unwrap()),
        };
        let contents = Contents::from_json(&credential.to_json()).unwrap();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            contents,
            Contents {
                username: text("hoop_ro"),
                password: Some("s3cret\"\\é".into()),
                engine: text("postgres"),
                host: text("ledger.example"),
                port: Some(6432),
                database: text("app"),
            }
        );
    }

    #[test]
    fn what_a_secret_does_not_say_is_missing_and_not_guessed() {
        let short = read(r#"{"username":"admin","password":"p"}"#);
        assert_eq!((short.engine, short.host, short.port, short.database), (None, None, None, None));
        let no_port = read(r#"{"username":"a","password":"p","engine":"mysql","host":"h","port":null}"#);
        assert_eq!((no_port.host.as_deref(), no_port.port), (Some("h"), None));
        assert_eq!(read(r#"{"password":"p"}"#).username, None);
    }

    #[test]
    fn engines_are_in_our_words_and_ports_are_numbers() {
        let engine = |name: &str| read(&format!(r#"{{"password":"p","engine":"{name}"}}"#)).engine.unwrap();
        assert_eq!(
            [engine("aurora-postgresql"), engine("sqlserver-ex"), engine("oracle")],
            ["postgres", "sqlserver", "oracle"]
        );
        let port = |port: &str| read(&format!(r#"{{"password":"p","port":{port}}}"#)).port;
        assert_eq!(
            [port("5432"), port("\"5432\""), port("\"x\""), port("70000"), port("0")],
            [Some(5432), Some(5432), None, None, None]
        );
    }

    #[test]
    fn an_error_and_a_debug_text_never_repeat_the_value() {
        for text in
            ["hunter2", r#"["hunter2"]"#, r#"{"key":"hunter2"}"#, r#"{"password":{"hunter2":1}}"#, r#""hunter2""#]
        {
            let error = Contents::from_json(&text.into()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}");
        }
        assert!(!format!("{:?}", read(r#"{"password":"hunter2"}"#)).contains("hunter2"));
    }
}
