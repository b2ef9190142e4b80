//! The value of a secret: the JSON that RDS itself writes, so that RDS Proxy and rotation functions understand it.

use super::Contents;
use crate::access::{Arn, DatabaseName, Endpoint, EngineKind, Identifier, RoleName, Secret, SecretRef, TargetKind};

/// The key of [`Credential::keepers`], which no program of others has.
const KEEPERS: &str = "rdsaccessKeepers";

/// A user name and password with the place where they work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// User
    pub username: RoleName,
    /// Password
    pub password: Secret<String>,
    /// Engine; secrets made by others may lack it
    pub engine: Option<EngineKind>,
    /// Host and port
    pub endpoint: Option<Endpoint>,
    /// Database to connect to
    pub database: Option<DatabaseName>,
    /// The database
    pub arn: Option<Arn>,
    /// The administrator's secret, for a user that is not the administrator: a rotation function of AWS needs it
    pub master: Option<SecretRef>,
    /// Digest of the `rotation.keepers` that it was made for, where there are any
    pub keepers: Option<String>,
}

/// Why a text is not a credential. Never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(super) &'static str);

impl Credential {
    /// Writes the JSON: `engine host port username password dbname`, `masterarn` where it is in Secrets Manager, the
    /// identifier of instance or cluster, and `rdsaccessKeepers` where there are keepers.
    pub fn to_json(&self) -> Secret<String> {
        let mut object = serde_json::Map::new();
        let mut put = |key: &str, value: Option<serde_json::Value>| {
            if let Some(value) = value {
                object.insert(key.to_owned(), value);
            }
        };
        put("engine", self.engine.map(|e| e.as_str().into()));
        put("host", self.endpoint.as_ref().map(|e| e.host.as_str().into()));
        put("port", self.endpoint.as_ref().map(|e| e.port.into()));
        put("username", Some(self.username.as_str().into()));
        put("password", Some(self.password.expose().as_str().into()));
        put("dbname", self.database.as_ref().map(|d| d.as_str().into()));
        let in_aws = self.master.as_ref().filter(|master| matches!(master, SecretRef::SecretsManager { .. }));
        put("masterarn", in_aws.map(|master| master.to_string().into()));
        let identifier = |kind: TargetKind| {
            self.arn.as_ref().filter(|arn| arn.kind == kind).map(|arn| arn.identifier.as_str().into())
        };
        put("dbInstanceIdentifier", identifier(TargetKind::Instance));
        put("dbClusterIdentifier", identifier(TargetKind::Cluster));
        if let Some(keepers) = &self.keepers {
            object.insert(KEEPERS.to_owned(), keepers.as_str().into());
        }
        Secret::new(serde_json::Value::Object(object).to_string())
    }

    /// Reads the JSON; only user name and password are needed.
    ///
    /// # Errors
    /// A text of another form.
    pub fn from_json(text: &Secret<String>) -> Result<Self, Malformed> {
        let read = Contents::from_json(text)?;
        let username = read.username.ok_or(Malformed("`username` is missing"))?;
        let engine: Option<EngineKind> = read.engine.and_then(|engine| engine.parse().ok());
        let port = read.port.or_else(|| engine.map(EngineKind::default_port));
        Ok(Self {
            username: username.parse().map_err(|_| Malformed("`username` is not a user name"))?,
            password: read.password.ok_or(Malformed("`password` is missing"))?,
            engine,
            endpoint: read.host.zip(port).map(|(host, port)| Endpoint { host, port }),
            database: read.database.and_then(|d| d.parse().ok()),
            arn: None,
            master: read.master.and_then(|arn| arn.parse().ok()),
            keepers: read.keepers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Credential {
        Credential {
            username: "hoop_ro".parse().unwrap(),
            password: "s3cret\"\\".into(),
            engine: Some(EngineKind::Postgres),
            endpoint: Some(Endpoint { host: "ledger.example".to_owned(), port: 5432 }),
            database: Some("app".parse().unwrap()),
            arn: Some("arn:aws:rds:eu-central-1:123456789012:db:ledger".parse().unwrap()),
            master: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:masters/ledger-AbCdEf".parse().ok(),
            keepers: Some("c0ffee".to_owned()),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let read = Credential::from_json(&credential().to_json()).unwrap();
        assert_eq!(read, Credential { arn: None, ..credential() });
        assert!(credential().to_json().expose().contains("\"dbInstanceIdentifier\":\"ledger\""));
    }

    #[test]
    fn the_administrators_secret_is_named_only_where_a_rotation_function_can_read_it() {
        let json = |credential: Credential| -> serde_json::Value {
            serde_json::from_str(credential.to_json().expose()).unwrap()
        };
        assert_eq!(
            json(credential())["masterarn"],
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:masters/ledger-AbCdEf"
        );
        let in_vault = Credential { master: "vault:kv2::secret:masters/ledger".parse().ok(), ..credential() };
        assert!(json(in_vault).get("masterarn").is_none());
    }

    #[test]
    fn the_short_form_of_rds_is_enough() {
        let read = Credential::from_json(&r#"{"username":"admin","password":"p"}"#.into()).unwrap();
        assert_eq!(read.username.as_str(), "admin");
        assert_eq!(read.endpoint, None);
    }

    #[test]
    fn an_error_never_repeats_the_text() {
        for text in ["hunter2", "{\"password\":\"hunter2\"}", "[\"hunter2\"]"] {
            let error = Credential::from_json(&text.into()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
