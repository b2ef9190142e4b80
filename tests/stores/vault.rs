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

/// A login that works once, as with a `secret_id` of one use.
async fn end_the_login(server: &Server) {
    let other = json!({"approle": {"role_id": "role-of-the-fake", "secret_id": "another"}});
    server.steer("PUT", "logins", &other).await;
}

/// A call that is refused whatever the policy says.
async fn refuse(server: &Server, path: &str, n: i64, status: u16) {
    let order = json!({"path": path, "n": n, "status": status, "errors": ["permission denied"]});
    server.steer("POST", "faults", &order).await;
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_now_is_used_until_it_ends() {
    for status in [500, 403] {
        let bench = Bench::kv2().await;
        bench.server.steer("PUT", "logins", &json!({"ttl": 30})).await;
        let store = store(settings(&bench.server, approle())).await;
        let held = put(&store, &bench.place("a"), "1").await.unwrap();
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(21)).await;
        tokio::time::resume();
        end_the_login(&bench.server).await;
        refuse(&bench.server, "auth/token/renew-self", -1, status).await;
        let promoted = store.promote(&held.secret_ref, held.pending.as_ref().unwrap()).await;
        assert!(promoted.is_ok(), "{status}: a third of its life remains: {promoted:?}");
        let asked = calls(&bench.server, "auth/token/renew-self").await;
        assert_eq!(asked, if status == 500 { 3 } else { 1 }, "{status}");
    }
}

#[tokio::test]
async fn two_denials_at_once_of_a_token_that_ended_lead_to_one_login() {
    let bench = Bench::kv2().await;
    let vault = vault_of(settings(&bench.server, approle()));
    let store = || VaultStore::new(vault.clone(), VaultStoreSettings::default(), entropy());
    let (one, other) = (store(), store());
    put(&one, &bench.place("a"), "1").await.unwrap();
    bench.server.steer("DELETE", "tokens", &Value::Null).await;
    let slow = json!({"path": "secret/metadata/*b", "n": 1, "delay": 1.0, "when": "after"});
    bench.server.steer("POST", "faults", &slow).await;
    let (a, b) = (bench.place("a"), bench.place("b"));
    let (found, late) = tokio::join!(one.find(&a), other.find(&b));
    assert!(found.unwrap().is_some());
    assert_eq!(late.unwrap(), None, "its answer 403 is of the old token, the new one is good");
    assert_eq!(calls(&bench.server, "auth/approle/login").await, 2);
}

#[tokio::test]
async fn a_policy_that_hides_even_the_token_leaves_it_in_use() {
    let bench = Bench::kv2().await;
    let rules = json!({"secret/metadata/rdsaccess/*": ["read"]});
    bench.server.steer("PUT", "policies", &json!({"name": "logged-in", "rules": rules})).await;
    let store = store(settings(&bench.server, approle())).await;
    assert_eq!(store.find(&bench.place("a")).await.unwrap(), None);
    refuse(&bench.server, "auth/token/lookup-self", -1, 403).await;
    end_the_login(&bench.server).await;
    let foreign: SecretRef = "vault:kv2::secret:team/db".parse().unwrap();
    let error = store.look(&foreign).await.unwrap_err();
    let text = words(&error);
    assert!(text.contains("path \"secret/metadata/team/db\"") && text.contains("another login failed"), "{text}");
    assert_eq!(error.reach(), Reach::OutOfReach);
    assert_eq!(store.find(&bench.place("a")).await.unwrap(), None, "the token goes on");
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

#[tokio::test]
async fn a_redirect_that_would_turn_a_write_into_a_read_is_not_followed() {
    for (bench, path) in [(Bench::kv1().await, "kv/*a"), (Bench::kv2().await, "secret/data/*a")] {
        let place = bench.place("a");
        let held = put(&*bench.store(), &place, "1").await.unwrap();
        let version = held.pending.unwrap();
        for status in [301, 302, 303] {
            let location = format!("{}/v1/sys/health", bench.server.text("url"));
            let order =
                json!({"method": "POST", "path": path, "n": -1, "status": status, "headers": {"Location": location}});
            bench.server.steer("POST", "faults", &order).await;
            let text = words(&bench.store().promote(&held.secret_ref, &version).await.unwrap_err());
            assert!(text.contains(&status.to_string()) && text.contains("307 or 308"), "{text}");
            bench.revive().await;
        }
        assert_eq!(bench.store().value(&held.secret_ref, &version).await.unwrap().password.expose(), "1");
        bench.store().promote(&held.secret_ref, &version).await.unwrap();
        assert_eq!(bench.read(&held.secret_ref).await.unwrap().password.expose(), "1");
    }
}

#[tokio::test]
async fn a_write_that_somebody_swallowed_does_not_take_the_pending_value_away() {
    let bench = Bench::kv1().await;
    let held = put(&*bench.store(), &bench.place("a"), "1").await.unwrap();
    let version = held.pending.unwrap();
    let order = json!({"method": "POST", "path": "kv/*/a", "n": 1, "status": 204});
    bench.server.steer("POST", "faults", &order).await;
    let text = words(&bench.store().promote(&held.secret_ref, &version).await.unwrap_err());
    assert!(text.contains("somebody else wrote"), "{text}");
    assert_eq!(bench.store().value(&held.secret_ref, &version).await.unwrap().password.expose(), "1");
    bench.store().promote(&held.secret_ref, &version).await.unwrap();
    assert_eq!(bench.read(&held.secret_ref).await.unwrap().password.expose(), "1");
}
