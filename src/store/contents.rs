//! What a secret of a database says: of ours, of RDS and of others.

use serde::{Deserialize, Deserializer};

use crate::access::{EngineKind, Secret};

use super::VersionId;
use super::credential::Malformed;

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
    /// The secret of the administrator
    #[serde(rename = "masterarn")]
    pub master: Option<String>,
    /// Digest of the keepers that one of ours was made for
    #[serde(rename = "rdsaccessKeepers")]
    pub keepers: Option<String>,
}

/// A version of a secret that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id, as the store names it; `None` where the store names none
    pub id: Option<VersionId>,
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
    use super::*;
    use crate::store::Credential;

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
            master: None,
            keepers: None,
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
                master: None,
                keepers: None,
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
