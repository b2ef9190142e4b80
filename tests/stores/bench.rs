//! A store to test, what others see of it, and faults for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rdsaccess::access::{Arn, Endpoint, EngineKind, Identifier, KvVersion, RoleName, SecretRef};
use rdsaccess::aws::{self, Sessions};
use rdsaccess::store::secrets_manager::{self, Entropy, SecretsManager};
use rdsaccess::store::vault::{self, Login, Namespace, Settings, Token, Vault, VaultStore};
use rdsaccess::store::{Credential, Error, Held, Place, SecretsManagerSettings, Store, VaultStoreSettings, VersionId};
use serde_json::{Value, json};

use crate::servers::Server;

pub(crate) const TARGET: &str = "db-ABCDEFGHIJKL";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    SecretsManager,
    Kv2,
    Kv1,
}

/// A store with its server.
pub(crate) struct Bench {
    pub(crate) kind: Kind,
    pub(crate) server: Server,
    account: String,
}

impl Bench {
    pub(crate) async fn secrets_manager() -> Self {
        let server = Server::aws();
        let account = server.text("management_account");
        Self { kind: Kind::SecretsManager, server, account }
    }

    pub(crate) async fn kv2() -> Self {
        Self { kind: Kind::Kv2, server: Server::vault(&[]), account: "123456789012".to_owned() }
    }

    pub(crate) async fn kv1() -> Self {
        Self { kind: Kind::Kv1, server: Server::vault(&[]), account: "123456789012".to_owned() }
    }

    pub(crate) fn has_no_check_and_set(&self) -> bool {
        matches!(self.kind, Kind::Kv1)
    }

    pub(crate) fn arn(&self) -> Arn {
        format!("arn:aws:rds:eu-central-1:{}:db:ledger", self.account).parse().unwrap()
    }

    pub(crate) fn place(&self, user: &str) -> Place {
        Place::user(self.arn(), user.parse().unwrap())
    }

    /// A store of its own process: nothing is shared with another one.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self.kind {
            Kind::SecretsManager => {
                let settings = SecretsManagerSettings::default();
                Arc::new(SecretsManager::new(self.sessions(), settings, &self.arn(), entropy()))
            }
            Kind::Kv1 | Kind::Kv2 => Arc::new(VaultStore::new(self.vault(), self.vault_store(), entropy())),
        }
    }

    fn vault_store(&self) -> VaultStoreSettings {
        let (version, mount) = if self.kind == Kind::Kv1 { (KvVersion::One, "kv") } else { (KvVersion::Two, "secret") };
        VaultStoreSettings { version, mount: mount.to_owned(), ..VaultStoreSettings::default() }
    }

    pub(crate) fn vault(&self) -> Vault {
        vault_of(settings(&self.server, Login::Token(token(&self.server.text("token")))))
    }

    /// As the holder of a token with this policy.
    pub(crate) async fn store_with_policy(&self, rules: &Value) -> Arc<dyn Store> {
        self.server.steer("PUT", "policies", &json!({"name": "p", "rules": rules})).await;
        let made = self.server.steer("POST", "tokens", &json!({"policy": "p", "ttl": 600})).await;
        let login = Login::Token(token(made["token"].as_str().unwrap()));
        let vault = vault_of(settings(&self.server, login));
        Arc::new(VaultStore::new(vault, self.vault_store(), entropy()))
    }

    pub(crate) fn sessions(&self) -> Sessions {
        let mut settings = aws::Settings { region: "eu-central-1".parse().ok(), ..aws::Settings::default() };
        settings.static_keys = Some(aws::settings::StaticKeys {
            access_key: self.server.text("access_key"),
            secret_key: self.server.text("secret_key").as_str().into(),
            token: None,
        });
        let endpoint = Some(self.server.text("endpoint"));
        settings.endpoints.sts = endpoint.clone();
        settings.endpoints.secretsmanager = endpoint;
        Sessions::new(settings)
    }

    /// Reads for a login, as the provider does.
    pub(crate) async fn read(&self, secret_ref: &SecretRef) -> Result<Credential, Error> {
        match self.kind {
            Kind::SecretsManager => secrets_manager::read(&self.sessions(), secret_ref).await,
            Kind::Kv1 | Kind::Kv2 => vault::read(&self.vault(), secret_ref).await,
        }
    }

    /// The password that a reader of the current value sees: an agent that knows nothing of versions.
    pub(crate) async fn seen_by_readers(&self, secret_ref: &SecretRef) -> Option<String> {
        match (self.kind, secret_ref) {
            (Kind::SecretsManager, _) => {
                let arn = self.arn();
                let secrets = self.sessions().secrets(&arn.account_id, &arn.region).await.unwrap();
                let current = aws::secrets::Version::Stage(aws::secrets::CURRENT);
                let text = secrets.value(&secret_ref.to_string(), current).await.ok()??;
                let value: Value = serde_json::from_str(text.value.expose()).unwrap();
                value["password"].as_str().map(str::to_owned)
            }
            (Kind::Kv2, SecretRef::Vault { mount, path, .. }) => {
                let (_, answer) = self.server.request("GET", &format!("{mount}/data/{path}"), &Value::Null).await;
                answer["data"]["data"]["PASSWORD"].as_str().map(str::to_owned)
            }
            (_, SecretRef::Vault { mount, path, .. }) => {
                let (_, answer) = self.server.request("GET", &format!("{mount}/{path}"), &Value::Null).await;
                answer["data"]["PASSWORD"].as_str().map(str::to_owned)
            }
            _ => panic!("{secret_ref} is of another store"),
        }
    }

    /// Every password that can be read at the pending path of a secret in Vault, in any of its versions.
    pub(crate) async fn readable_at_pending(&self, secret_ref: &SecretRef) -> Vec<String> {
        let SecretRef::Vault { mount, path, .. } = secret_ref else { panic!("{secret_ref} is of another store") };
        let mut found = Vec::new();
        for number in 1..=5 {
            let (part, values) = if self.kind == Kind::Kv2 { ("/data", "/data/data") } else { ("", "/data") };
            let path = format!("{mount}{part}/{path}.pending?version={number}");
            let (_, answer) = self.server.request("GET", &path, &Value::Null).await;
            let password = answer.pointer(&format!("{values}/PASSWORD"));
            found.extend(password.and_then(Value::as_str).map(str::to_owned));
        }
        found
    }

    /// A secret that somebody else put at a place.
    pub(crate) async fn make_foreign(&self, place: &Place) {
        let name = place.name("rdsaccess/");
        match self.kind {
            Kind::SecretsManager => {
                let value = json!({"username": "theirs", "password": "theirs"}).to_string();
                self.aws("create_secret", json!({"Name": name, "SecretString": value})).await.unwrap();
            }
            Kind::Kv2 => {
                let body = json!({"data": {"USER": "theirs", "PASSWORD": "theirs"}});
                assert_eq!(self.server.request("POST", &format!("secret/data/{name}"), &body).await.0, 200);
            }
            Kind::Kv1 => {
                let body = json!({"USER": "theirs", "PASSWORD": "theirs"});
                assert_eq!(self.server.request("POST", &format!("kv/{name}"), &body).await.0, 204);
            }
        }
    }

    /// From the call after `count` on, nothing works any more: the process was killed, as far as the server can tell.
    pub(crate) async fn kill_after(&self, count: usize) {
        let order = match self.kind {
            Kind::SecretsManager => json!({"service": "secretsmanager", "skip": count, "times": -1,
                "code": "AccessDeniedException", "message": "killed"}),
            _ => json!({"path": "*/*rdsaccess/*", "skip": count, "n": -1, "status": 418, "errors": ["killed"]}),
        };
        self.server.steer("POST", "faults", &order).await;
    }

    pub(crate) async fn revive(&self) {
        self.server.steer("DELETE", "faults", &Value::Null).await;
    }

    /// One call of boto3 as the hub.
    pub(crate) async fn aws(&self, operation: &str, params: Value) -> Result<Value, String> {
        let program = "import json,sys\nfrom aws.call import _answer\nprint(json.dumps(_answer(json.load(sys.stdin)),default=str))";
        let call = json!({"endpoint": self.server.text("endpoint"), "region": "eu-central-1", "service": "secretsmanager",
            "operation": operation, "params": params});
        let answer = crate::servers::run_python(program, &call);
        answer.get("ok").cloned().ok_or_else(|| answer["error"].to_string())
    }
}

pub(crate) fn entropy() -> Entropy {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Arc::new(|buffer| {
        // Ids of a test only have to differ, also between processes.
        let number = u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::SeqCst);
        let bytes = number.to_be_bytes();
        buffer.iter_mut().zip(bytes.iter().cycle()).for_each(|(to, from)| *to = *from);
        Ok(())
    })
}

pub(crate) fn token(text: &str) -> Token {
    Token::new(&text.into()).unwrap()
}

/// Settings with short pauses.
pub(crate) fn settings(server: &Server, login: Login) -> Settings {
    let address = server.text("url").parse().unwrap();
    let settings = Settings::new(address, Namespace::default(), login);
    Settings { pause: Duration::from_millis(5), attempts: 3, timeout: Duration::from_secs(10), ..settings }
}

pub(crate) fn vault_of(settings: Settings) -> Vault {
    Vault::new(settings, Sessions::new(aws::Settings::default()), SystemTime::now)
}

pub(crate) fn credential(user: &str, password: &str) -> Credential {
    Credential {
        username: user.parse().unwrap(),
        password: password.into(),
        engine: Some(EngineKind::Postgres),
        endpoint: Some(Endpoint { host: "ledger.example".to_owned(), port: 5432 }),
        database: Some("app".parse().unwrap()),
        arn: None,
        master: None,
        keepers: None,
    }
}

pub(crate) fn user(name: &str) -> RoleName {
    name.parse().unwrap()
}

/// Stores a password as pending for a user.
pub(crate) async fn put(store: &dyn Store, place: &Place, password: &str) -> Result<Held, Error> {
    let credential = credential(place.username.as_str(), password);
    let seen = store.find(place).await?.and_then(|held| held.pending);
    store.put_pending(place, TARGET, &place.username, &credential, seen.as_ref()).await
}

/// Stores a password and makes it the proven one.
pub(crate) async fn prove(store: &dyn Store, place: &Place, password: &str) -> (SecretRef, VersionId) {
    let held = put(store, place, password).await.unwrap();
    let version = held.pending.unwrap();
    store.promote(&held.secret_ref, &version).await.unwrap();
    (held.secret_ref, version)
}
