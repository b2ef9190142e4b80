//! The organisation's setting `hide_role_info`: the gateway shows no literal secrets any more.

use rdsaccess::gateway::{Env, EnvState, EnvValue, HOST, PASS, Reference, USER};
use serde_json::json;

use crate::rig::{READER, Rig};

#[tokio::test]
async fn hidden_values_are_unknown_and_an_update_keeps_them() {
    let rig = Rig::start();
    let gateway = rig.gateway();
    let reference = EnvValue::Reference(Reference::aws("ledger", "password").unwrap());
    let mut spec = rig.spec("ledger-ro").await;
    spec.env.insert(HOST.to_owned(), EnvValue::Plain("ledger.internal".to_owned()));
    spec.env.insert(PASS.to_owned(), reference.clone());
    gateway.create_connection(&spec).await.unwrap();
    rig.change(
        "ledger-ro",
        json!({"secret": {
            "envvar:HOST": "bGVkZ2VyLmludGVybmFs", "envvar:PASS": "X2F3czpsZWRnZXI6cGFzc3dvcmQ=",
            "envvar:DB": "bGVkZ2Vy", "envvar:USER": "b2xk", "envvar:SSLMODE": "dmVyaWZ5LWZ1bGw=",
        }}),
    )
    .await;
    rig.toggle("hide_role_info", true).await;

    let read = gateway.get_connection("ledger-ro").await.unwrap().unwrap();
    assert_eq!((read.env(HOST), read.default_database.as_deref()), (Env::Hidden, None));
    assert_eq!(read.compare(HOST, &spec.env[HOST]), EnvState::Hidden);
    assert_eq!(read.compare(PASS, &reference), EnvState::InSync);

    spec.env.insert(USER.to_owned(), EnvValue::Plain("hoop_ro".to_owned()));
    gateway.update_connection(&spec).await.unwrap();
    assert_eq!(
        rig.stored("ledger-ro").await["secret"],
        json!({
            "envvar:HOST": "bGVkZ2VyLmludGVybmFs", "envvar:PASS": "X2F3czpsZWRnZXI6cGFzc3dvcmQ=",
            "envvar:DB": "bGVkZ2Vy", "envvar:USER": "aG9vcF9ybw==", "envvar:SSLMODE": "dmVyaWZ5LWZ1bGw=",
        })
    );
}

#[tokio::test]
async fn who_is_no_admin_sees_no_secrets_at_all() {
    let rig = Rig::start();
    let mut spec = rig.spec("ledger-ro").await;
    spec.env.insert(HOST.to_owned(), EnvValue::Plain("ledger.internal".to_owned()));
    rig.gateway().create_connection(&spec).await.unwrap();
    let reader = rdsaccess::gateway::Gateway::new(rig.settings(READER));
    let read = reader.get_connection("ledger-ro").await.unwrap().unwrap();
    assert_eq!(read.env(HOST), Env::Hidden);
}
