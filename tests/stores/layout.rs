//! hvac and boto3, which somebody else wrote, read back what the stores wrote, in the documented layout.

use rdsaccess::store::Credential;
use serde_json::{Value, json};

use crate::bench::{Bench, TARGET, credential, prove, put};
use crate::servers::run_python;

/// Reads one path and, on version 2, its metadata.
const HVAC: &str = r#"
import json, sys
import hvac
ask = json.load(sys.stdin)
client = hvac.Client(url=ask["url"], token=ask["token"])
def read(path):
    try:
        if ask["version"] == 1:
            return client.secrets.kv.v1.read_secret(path, mount_point=ask["mount"])["data"]
        return client.secrets.kv.v2.read_secret_version(
            path, mount_point=ask["mount"], raise_on_deleted_version=True)["data"]["data"]
    except hvac.exceptions.InvalidPath:
        return None
def metadata(path):
    return client.secrets.kv.v2.read_secret_metadata(path, mount_point=ask["mount"])["data"]
found = {path: read(path) for path in ask["paths"]}
if ask["version"] == 2:
    found["metadata"] = metadata(ask["paths"][0])
folder, _, _ = ask["paths"][0].rpartition("/")
api = client.secrets.kv.v1 if ask["version"] == 1 else client.secrets.kv.v2
found["names"] = api.list_secrets(folder, mount_point=ask["mount"])["data"]["keys"]
print(json.dumps(found))
"#;

fn by_hvac(bench: &Bench, version: u8, mount: &str, paths: &[&str]) -> Value {
    let server = &bench.server;
    let ask = json!({"url": server.text("url"), "token": server.text("token"), "version": version, "mount": mount,
        "paths": paths});
    run_python(HVAC, &ask)
}

const PATH: &str = "rdsaccess/123456789012/eu-central-1/db/ledger/hoop_ro";

fn keys(version: &str) -> Value {
    json!({"HOST": "ledger.example", "PORT": "5432", "USER": "hoop_ro", "PASSWORD": "first", "DB": "app",
        "ENGINE": "postgres", "VERSION": version})
}

#[tokio::test]
async fn hvac_reads_the_documented_keys_from_version_2() {
    let bench = Bench::kv2().await;
    let (_, version) = prove(&*bench.store(), &bench.place("hoop_ro"), "first").await;
    let pending = format!("{PATH}.pending");
    let found = by_hvac(&bench, 2, "secret", &[PATH, &pending]);
    assert_eq!((&found[PATH], &found[&pending]), (&keys(&version.0), &Value::Null));
    let custom = &found["metadata"]["custom_metadata"];
    assert_eq!(custom["rdsaccess:managed"], "true");
    assert_eq!((&custom["rdsaccess:target"], &custom["rdsaccess:username"]), (&json!(TARGET), &json!("hoop_ro")));
    assert_eq!(custom["rdsaccess:version:1"], json!(version.0));

    put(&*bench.store(), &bench.place("hoop_ro"), "second").await.unwrap();
    let found = by_hvac(&bench, 2, "secret", &[PATH, &pending]);
    assert_eq!((&found[PATH]["PASSWORD"], &found[&pending]["PASSWORD"]), (&json!("first"), &json!("second")));
}

#[tokio::test]
async fn hvac_reads_the_documented_keys_from_version_1() {
    let bench = Bench::kv1().await;
    let (_, version) = prove(&*bench.store(), &bench.place("hoop_ro"), "first").await;
    let mark = format!("{PATH}.mark");
    let found = by_hvac(&bench, 1, "kv", &[PATH, &mark]);
    assert_eq!(found[PATH], keys(&version.0));
    assert_eq!(found["names"], json!(["hoop_ro", "hoop_ro.mark"]), "nothing pending is left");
    assert_eq!(
        (&found[&mark]["rdsaccess:managed"], &found[&mark]["rdsaccess:version"]),
        (&json!("true"), &json!(version.0))
    );
    assert!(!found[&mark].to_string().contains("first"), "the mark holds no secret");
}

#[tokio::test]
async fn what_others_wrote_into_the_metadata_stays() {
    let bench = Bench::kv2().await;
    let (secret_ref, _) = prove(&*bench.store(), &bench.place("hoop_ro"), "first").await;
    let path = format!("secret/metadata/{PATH}");
    let (_, seen) = bench.server.request("GET", &path, &Value::Null).await;
    let mut custom = seen["data"]["custom_metadata"].clone();
    custom["owner"] = json!("payments");
    let body = json!({"custom_metadata": custom, "max_versions": 3});
    assert_eq!(bench.server.request("POST", &path, &body).await.0, 204);
    for round in 0..3 {
        prove(&*bench.store(), &bench.place("hoop_ro"), &format!("round {round}")).await;
    }
    let (_, seen) = bench.server.request("GET", &path, &Value::Null).await;
    let data = &seen["data"];
    assert_eq!((&data["custom_metadata"]["owner"], &data["max_versions"]), (&json!("payments"), &json!(3)));
    let named = data["custom_metadata"].as_object().unwrap().keys().filter(|k| k.starts_with("rdsaccess:version:"));
    assert_eq!(named.count(), 2, "the ids do not pile up");
    bench.store().forget(&secret_ref).await.unwrap();
    let (_, seen) = bench.server.request("GET", &path, &Value::Null).await;
    let versions = seen["data"]["versions"].as_object().unwrap();
    assert!(versions.values().all(|v| v["deletion_time"] != "" && v["destroyed"] == false), "they can be undeleted");
}

#[tokio::test]
async fn boto3_reads_the_keys_that_aws_documents() {
    let bench = Bench::secrets_manager().await;
    let (store, place) = (bench.store(), bench.place("hoop_ro"));
    let master = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:masters/ledger-AbCdEf";
    let written = Credential { arn: Some(bench.arn()), master: master.parse().ok(), ..credential("hoop_ro", "first") };
    let held = store.put_pending(&place, TARGET, &place.username, &written, None).await.unwrap();
    let version = held.pending.unwrap();
    store.promote(&held.secret_ref, &version).await.unwrap();
    let value = bench.aws("get_secret_value", json!({"SecretId": held.secret_ref.to_string()})).await.unwrap();
    assert_eq!(value["VersionId"], json!(version.0));
    let read: Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
    let documented = json!({"engine": "postgres", "host": "ledger.example", "port": 5432, "username": "hoop_ro",
        "password": "first", "dbname": "app", "masterarn": master, "dbInstanceIdentifier": "ledger"});
    assert_eq!(read, documented);
}
