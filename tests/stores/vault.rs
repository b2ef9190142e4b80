//! Logins, renewal, namespaces, TLS and faults of Vault.

use std::time::Duration;

use rdsaccess::access::SecretRef;
use rdsaccess::aws::{self, Sessions};
use rdsaccess::report::{Explain, Reach};
use rdsaccess::store::vault::{self, JwtSource, Login, Settings, Vault, VaultStore};
use rdsaccess::store::{Error, Store, VaultStoreSettings};
use serde_json::{Value, json};

use crate::bench::{Bench, entropy, prove, put, settings, token, vault_of};
use crate::servers::Server;

async fn store(settings: Settings) -> VaultStore {
    VaultStore::new(vault_of(settings), VaultStoreSettings::default(), entropy())
}

fn approle() -> Login {
    let (role_id, secret_id) = ("role-of-the-fake".to_owned(), "secret-id-of-the-fake".into());
    Login::AppRole { mount: "approle".parse().unwrap(), role_id, secret_id }
}

async fn calls(server: &Server, path: &str) -> usize {
    let log = server.steer("GET", "log", &Value::Null).await;
    log.as_array().unwrap().iter().filter(|call| call["path"] == path).count()
}

fn words(error: &Error) -> String {
    format!("{}: {} {}", error.summary(), error.detail(), error.next_step().unwrap_or_default())
}

#[tokio::test]
async fn one_login_serves_all_calls_of_all_clones() {
    let bench = Bench::kv2().await;
    let vault = vault_of(settings(&bench.server, approle()));
    let store = || VaultStore::new(vault.clone(), VaultStoreSettings::default(), entropy());
    let (one, other) = (store(), store());
    let (a, b) = (bench.place("a"), bench.place("b"));
    tokio::join!(prove(&one, &a, "1"), prove(&other, &b, "2"));
    assert_eq!(calls(&bench.server, "auth/approle/login").await, 1);
    assert_eq!(calls(&bench.server, "auth/token/renew-self").await, 0);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let bench = Bench::kv2().await;
    bench.server.steer("PUT", "logins", &json!({"ttl": 3})).await;
    let store = store(settings(&bench.server, approle())).await;
    put(&store, &bench.place("a"), "1").await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        put(&store, &bench.place("a"), "2").await.unwrap();
    }
    assert_eq!(calls(&bench.server, "auth/approle/login").await, 1, "four seconds with a token of three");
    assert!(calls(&bench.server, "auth/token/renew-self").await >= 1);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_by_one_new_login() {
    let bench = Bench::kv2().await;
    let store = store(settings(&bench.server, approle())).await;
    put(&store, &bench.place("a"), "1").await.unwrap();
    bench.server.steer("DELETE", "tokens", &Value::Null).await;
    put(&store, &bench.place("a"), "2").await.unwrap();
    assert_eq!(calls(&bench.server, "auth/approle/login").await, 2);
}

#[tokio::test]
async fn a_policy_that_says_no_is_no_reason_to_log_in_again() {
    let bench = Bench::kv2().await;
    bench.server.steer("PUT", "policies", &json!({"name": "logged-in", "rules": {}})).await;
    let store = store(settings(&bench.server, approle())).await;
    let error = store.find(&bench.place("a")).await.unwrap_err();
    assert!(words(&error).contains("capabilities = [\"read\"]"), "{}", words(&error));
    assert_eq!(calls(&bench.server, "auth/approle/login").await, 1);
}

#[tokio::test]
async fn a_given_token_that_ended_is_told_apart_from_a_policy() {
    let bench = Bench::kv2().await;
    let store = store(settings(&bench.server, Login::Token(token("hvs.of-yesterday")))).await;
    let error = store.find(&bench.place("a")).await.unwrap_err();
    let text = words(&error);
    assert!(text.contains("does not know the token") && text.contains("VAULT_TOKEN"), "{text}");
    assert!(!text.contains("of-yesterday"), "{text}");
}

#[tokio::test]
async fn a_jwt_is_read_again_at_every_login() {
    let bench = Bench::kv2().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwt");
    std::fs::write(&file, "eyJ.old\n").unwrap();
    let login = Login::Jwt {
        mount: "jwt".parse().unwrap(),
        role: "rdsaccess".to_owned(),
        token: JwtSource::File(file.clone()),
    };
    let store = store(settings(&bench.server, login)).await;
    let text = words(&store.find(&bench.place("a")).await.unwrap_err());
    assert!(text.contains("`jwt`") && !text.contains("eyJ"), "{text}");
    std::fs::write(&file, "eyJhbGciOi.of-the.fake\n").unwrap();
    assert_eq!(store.find(&bench.place("a")).await.unwrap(), None);
}

#[tokio::test]
async fn aws_iam_proves_the_hub_identity() {
    let bench = Bench::kv2().await;
    let aws = json!({"keys": {"AKIDEXAMPLE": "hub-secret"}, "server_id": "vault.example.com"});
    bench.server.steer("PUT", "logins", &json!({ "aws": aws })).await;
    let login = |region: Option<&str>, header: &str| Login::AwsIam {
        mount: "aws".parse().unwrap(),
        role: "rdsaccess".to_owned(),
        header_value: Some(header.to_owned()),
        region: region.map(|region| region.parse().unwrap()),
    };
    let store = |login: Login, secret: &str| {
        let keys =
            aws::settings::StaticKeys { access_key: "AKIDEXAMPLE".to_owned(), secret_key: secret.into(), token: None };
        let hub = aws::Settings { region: "eu-west-1".parse().ok(), static_keys: Some(keys), ..Default::default() };
        let vault = Vault::new(settings(&bench.server, login), Sessions::new(hub), std::time::SystemTime::now);
        VaultStore::new(vault, VaultStoreSettings::default(), entropy())
    };
    let place = bench.place("a");
    for region in [None, Some("eu-west-1")] {
        assert_eq!(store(login(region, "vault.example.com"), "hub-secret").find(&place).await.unwrap(), None);
    }
    for (header, secret) in [("other.example.com", "hub-secret"), ("vault.example.com", "wrong")] {
        let text = words(&store(login(None, header), secret).find(&place).await.unwrap_err());
        assert!(text.contains("`aws_iam`") && text.contains("vault.auth"), "{text}");
    }
}

#[tokio::test]
async fn a_namespace_goes_with_every_call_and_into_the_reference() {
    let bench = Bench::kv2().await;
    bench.server.steer("PUT", "namespaces", &json!({"name": "team/a"})).await;
    let login = Login::Token(token(&bench.server.text("token")));
    let settings = Settings { namespace: "/team/a/".parse().unwrap(), ..settings(&bench.server, login) };
    let in_store = VaultStoreSettings { namespace: "team/a".to_owned(), ..VaultStoreSettings::default() };
    let vault = vault_of(settings);
    let store = VaultStore::new(vault.clone(), in_store, entropy());
    let (secret_ref, _) = prove(&store, &bench.place("a"), "1").await;
    assert!(secret_ref.to_string().starts_with("vault:kv2:team/a:secret:rdsaccess/"), "{secret_ref}");
    assert_eq!(vault::read(&vault, &secret_ref).await.unwrap().password.expose(), "1");
    assert_eq!(bench.store().find(&bench.place("a")).await.unwrap(), None, "the root has no such secret");
}

#[tokio::test]
async fn a_secret_of_others_needs_no_more_than_the_right_to_read_it() {
    let bench = Bench::kv2().await;
    for (mount, body) in [
        ("secret/data", json!({"data": {"username": "dba", "password": "theirs", "port": 5433}})),
        ("kv", json!({"USER": "dba", "PASSWORD": "theirs"})),
    ] {
        bench.server.request("POST", &format!("{mount}/team/db"), &body).await;
    }
    let rules = json!({"secret/data/team/db": ["read"], "kv/team/db": ["read"]});
    bench.server.steer("PUT", "policies", &json!({"name": "logged-in", "rules": rules})).await;
    let vault = vault_of(settings(&bench.server, approle()));
    for text in ["vault:kv2::secret:team/db", "vault:kv1::kv:team/db"] {
        let secret_ref: SecretRef = text.parse().unwrap();
        assert_eq!(vault::read(&vault, &secret_ref).await.unwrap().password.expose(), "theirs", "{text}");
    }
    let traversal: SecretRef = "vault:kv2::secret:team/../db".parse().unwrap();
    assert!(words(&vault::read(&vault, &traversal).await.unwrap_err()).contains("`..`"));
}

#[tokio::test]
async fn an_engine_of_the_other_version_gets_no_value() {
    let bench = Bench::kv2().await;
    let with = |mount: &str, version: &str| {
        let version =
            if version == "1" { rdsaccess::access::KvVersion::One } else { rdsaccess::access::KvVersion::Two };
        let settings = VaultStoreSettings { mount: mount.to_owned(), version, ..VaultStoreSettings::default() };
        VaultStore::new(bench.vault(), settings, entropy())
    };
    for (mount, version, word) in
        [("kv", "2", "version 1"), ("secret", "1", "version 2"), ("nowhere", "2", "no handler")]
    {
        let text = words(&put(&with(mount, version), &bench.place("a"), "hunter2").await.unwrap_err());
        assert!(text.contains(word) && text.contains("vault secrets enable"), "{mount}: {text}");
    }
    let log = bench.server.steer("GET", "log", &Value::Null).await;
    assert!(log.as_array().unwrap().iter().all(|call| call["method"] == "GET"), "nothing was written: {log}");
}

#[tokio::test]
async fn throttling_is_waited_for_and_a_lost_write_is_not_sent_again() {
    let bench = Bench::kv2().await;
    let place = bench.place("a");
    let order = |status: u16, n: i64| json!({"method": "POST", "path": "secret/data/*", "n": n, "status": status});
    bench.server.steer("POST", "faults", &order(429, 2)).await;
    put(&*bench.store(), &place, "1").await.unwrap();
    bench.server.steer("POST", "faults", &order(429, 3)).await;
    assert_eq!(put(&*bench.store(), &place, "2").await.unwrap_err().reach(), Reach::OutOfReach);
    bench
        .server
        .steer("POST", "faults", &json!({"method": "POST", "path": "secret/data/*", "when": "after", "drop": true}))
        .await;
    let error = put(&*bench.store(), &place, "3").await.unwrap_err();
    assert!(words(&error).contains("cannot be reached"), "{error}");
    let held = bench.store().find(&place).await.unwrap().unwrap();
    let value = bench.store().value(&held.secret_ref, held.pending.as_ref().unwrap()).await.unwrap();
    assert_eq!(value.password.expose(), "3", "it was carried out, and the next run goes on with it");
}

#[tokio::test]
async fn a_value_that_was_written_in_between_is_not_overwritten() {
    let bench = Bench::kv2().await;
    let place = bench.place("a");
    prove(&*bench.store(), &place, "before").await;
    let slow = json!({"method": "POST", "path": "secret/data/*.pending", "n": 1, "delay": 1.5});
    bench.server.steer("POST", "faults", &slow).await;
    let (one, other) = (bench.store(), bench.store());
    let late = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        put(&*other, &place, "second").await
    };
    let (first, second) = tokio::join!(put(&*one, &place, "first"), late);
    let text = words(&first.unwrap_err());
    assert!(text.contains("somebody else wrote") && text.contains("a.pending"), "{text}");
    let held = second.unwrap();
    let value = other.value(&held.secret_ref, held.pending.as_ref().unwrap()).await.unwrap();
    assert_eq!(value.password.expose(), "second");
}

#[tokio::test]
async fn reads_are_sent_again_and_a_sealed_server_is_named() {
    let bench = Bench::kv2().await;
    for status in [412, 500, 502, 503] {
        let order = json!({"method": "GET", "path": "secret/*", "n": 1, "status": status});
        bench.server.steer("POST", "faults", &order).await;
        assert_eq!(bench.store().find(&bench.place("a")).await.unwrap(), None, "{status}");
    }
    bench.server.steer("PUT", "seal", &json!({"sealed": true})).await;
    let error = bench.store().find(&bench.place("a")).await.unwrap_err();
    assert!(words(&error).contains("is sealed"), "{error}");
    assert_eq!(error.reach(), Reach::OutOfReach);
}

#[tokio::test]
async fn only_a_certificate_that_is_trusted_is_talked_to() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = ["--host", "localhost", "--cert", cert.to_str().unwrap(), "--key-file", key.to_str().unwrap()];
    let server = Server::vault(&options);
    let login = || Login::Token(token("hvs.root-of-the-fake"));
    let place =
        rdsaccess::store::Place::user("arn:aws:rds:eu-west-1:123456789012:db:a".parse().unwrap(), "u".parse().unwrap());
    let error = store(settings(&server, login())).await.find(&place).await.unwrap_err();
    assert!(words(&error).contains("certificate") && words(&error).contains("VAULT_CACERT"), "{}", words(&error));
    let trusting = Settings { ca_bundle: vec![made.cert.der().to_vec()], ..settings(&server, login()) };
    assert_eq!(store(trusting).await.find(&place).await.unwrap(), None);
}

#[tokio::test]
async fn a_redirect_to_another_host_does_not_get_the_token() {
    let bench = Bench::kv2().await;
    let other = Server::vault(&[]);
    let location = format!("{}/v1/secret/metadata/x", other.text("url"));
    let order = json!({"path": "secret/*", "n": -1, "status": 307, "headers": {"Location": location}});
    bench.server.steer("POST", "faults", &order).await;
    let error = bench.store().find(&bench.place("a")).await.unwrap_err();
    assert!(words(&error).contains("active node"), "{}", words(&error));
    assert_eq!(other.steer("GET", "log", &Value::Null).await, json!([]));
}
