//! A master password that RDS manages, when something goes on beside us or in between: other keys, passwords changed by
//! hand, management that comes and goes, answers that are lost.

use serde_json::{Value, json};

use crate::master_credential::{ADDRESS, configuration, logs_in, modify_calls, on_one_line, stored_password, text};
use crate::master_credential_managed::{MANAGED, by_hand, expected, modifications, postgres, secret};
use crate::rig::Rig;
use crate::sql::as_owner;
use crate::workspace::Workspace;

fn new_key(rig: &Rig) -> String {
    let made = rig.aws_of(rig.database(0), "kms", "create_key", &json!({})).unwrap();
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn keyed(rig: &Rig, key: &str) -> String {
    configuration(rig, &format!("{MANAGED}  kms_key_id = \"{key}\""))
}

fn round(round: &str, more: &str) -> String {
    format!("{MANAGED}  rotation = {{ keepers = {{ round = \"{round}\" }}{more} }}")
}

fn refused_for_its_key(workspace: &Workspace, names: &[&str]) {
    let words = on_one_line(&workspace.plan_run().error());
    assert!(words.contains("RDS cannot change the key of its secret"), "{words}");
    assert!(words.contains("take kms_key_id out"), "{words}");
    for name in names {
        assert!(words.contains(name), "{name} is not in {words}");
    }
}

fn rotations(rig: &Rig) -> usize {
    let rotated = Some("true".to_owned());
    modifications(rig).iter().filter(|call| call[1] == rotated).count()
}

fn refresh(workspace: &Workspace) {
    workspace.run(&["apply", "-refresh-only", "-input=false", "-no-color", "-auto-approve"]).ok();
}

fn fault(rig: &Rig, order: &Value) {
    rig.control("POST", "faults", order);
}

#[test]
fn the_key_of_the_secret_of_rds_is_set_once() {
    let rig = postgres();
    let keys = [new_key(&rig), new_key(&rig)];
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &keyed(&rig, &keys[0]));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(rig.calls("ModifyDBInstance")[0]["params"]["MasterUserSecretKmsKeyId"], keys[0].as_str());
    let before = modify_calls(&rig);
    for other in [keys[1].as_str(), "alias/other"] {
        workspace.write("main.tf", &keyed(&rig, other));
        refused_for_its_key(&workspace, &[&keys[0], other]);
    }
    workspace.write("main.tf", &configuration(&rig, MANAGED));
    refused_for_its_key(&workspace, &[&keys[0], "the default key"]);

    let id = keys[0].rsplit('/').next().unwrap();
    workspace.write("main.tf", &keyed(&rig, id));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("updated in-place") && !plan.contains("secret_version"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(modify_calls(&rig), before);

    // The two steps that the error names.
    workspace.write("main.tf", &configuration(&rig, ""));
    workspace.apply().ok();
    workspace.write("main.tf", &keyed(&rig, &keys[1]));
    workspace.apply().ok();
    workspace.plan().nothing();
}

#[test]
fn a_key_that_is_named_later_or_after_an_import_must_be_the_one_in_use() {
    let rig = postgres();
    let keys = [new_key(&rig), new_key(&rig)];
    let changes = json!({"ManageMasterUserPassword": true, "MasterUserSecretKmsKeyId": keys[0]});
    by_hand(&rig, &changes);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, MANAGED));
    workspace.import(ADDRESS, &rig.database(0).arn).ok();
    workspace.apply().ok();
    workspace.plan().nothing();
    let before = modify_calls(&rig);
    workspace.write("main.tf", &keyed(&rig, &keys[1]));
    refused_for_its_key(&workspace, &[&keys[0], &keys[1]]);
    workspace.write("main.tf", &keyed(&rig, "alias/db"));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains("The key of the secret is taken on trust"), "{plan}");
    workspace.write("main.tf", &keyed(&rig, &keys[0]));
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(modify_calls(&rig), before, "the same key needs no call");

    // Somebody begins the management anew, with another key.
    by_hand(&rig, &json!({"ManageMasterUserPassword": false, "MasterUserPassword": "By-Hand.Passw0rd"}));
    by_hand(&rig, &json!({"ManageMasterUserPassword": true, "MasterUserSecretKmsKeyId": keys[1]}));
    refused_for_its_key(&workspace, &[&keys[0], &keys[1]]);
}

#[test]
fn a_managed_password_that_was_changed_by_hand_is_rotated_with_a_warning() {
    let rig = postgres();
    let database = rig.database(0);
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, MANAGED));
    workspace.apply().ok();
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    as_owner(database, "postgres", &format!("ALTER ROLE \"{}\" PASSWORD 'by-hand'", database.master_username));
    refresh(&workspace);
    let word = "the password in the secret of RDS is refused";
    assert_eq!(text(&workspace.resource(ADDRESS).unwrap(), "credential"), word);

    let with_aws_alone = configuration(&rig, MANAGED).replacen("tags = ", "refresh = \"aws\"\n  tags = ", 1);
    workspace.write("main.tf", &with_aws_alone);
    refresh(&workspace);
    assert_eq!(text(&workspace.resource(ADDRESS).unwrap(), "credential"), word, "only a login tells that it works");

    workspace.write("main.tf", &configuration(&rig, MANAGED));
    let plan = workspace.plan().changes().stdout;
    assert!(plan.contains(&format!("\"{word}\" -> \"ok\"")), "{plan}");
    assert!(on_one_line(&plan).contains("will be replaced; clients that use it stop working"), "{plan}");
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!(modifications(&rig)[1..], [expected(None, Some("true"), "true")]);
    assert!(logs_in(&rig, &stored_password(&rig, &secret_ref)) && !logs_in(&rig, "by-hand"));
}

#[test]
fn an_apply_never_switches_on_what_the_plan_found_on() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, &round("1", "")));
    workspace.apply().ok();
    workspace.write("main.tf", &configuration(&rig, &round("2", "")));
    workspace.plan().changes();
    by_hand(&rig, &json!({"ManageMasterUserPassword": false, "MasterUserPassword": "By-Hand.Passw0rd"}));
    let before = modify_calls(&rig);
    let words = on_one_line(&workspace.apply_planned().error());
    assert!(words.contains("The plan is out of date") && words.contains("Nothing was changed"), "{words}");
    assert_eq!(modify_calls(&rig), before);
    assert!(logs_in(&rig, "By-Hand.Passw0rd"));
    workspace.apply().ok();
    workspace.plan().nothing();
}

#[test]
fn a_rotation_that_rds_has_accepted_is_not_asked_for_again() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, &round("1", ", after = \"30d\"")));
    workspace.apply().ok();
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");

    // The schedule fails: nothing is rotated.
    fault(&rig, &json!({"action": "RotateSecret", "times": -1, "code": "AccessDeniedException", "message": "no"}));
    workspace.write("main.tf", &configuration(&rig, &round("2", ", after = \"10d\"")));
    workspace.apply().error();
    assert_eq!(rotations(&rig), 0, "the schedule comes before the password");
    rig.control("DELETE", "faults", &Value::Null);

    // What follows the rotation fails: it was made all the same.
    workspace.plan().changes();
    fault(&rig, &json!({"action": "GetSecretValue", "times": -1, "code": "AccessDeniedException", "message": "no"}));
    workspace.apply_planned().error();
    assert_eq!(rotations(&rig), 1);
    rig.control("DELETE", "faults", &Value::Null);
    workspace.apply().ok();
    workspace.plan().nothing();
    assert_eq!(rotations(&rig), 1, "the keepers of the first try were reached");
    assert_eq!(secret(&rig, &secret_ref)["RotationRules"], json!({"AutomaticallyAfterDays": 10}));
    assert!(logs_in(&rig, &stored_password(&rig, &secret_ref)));
}

#[test]
fn a_new_secret_that_aws_does_not_show_everywhere_yet_is_waited_for() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    let missing = "ResourceNotFoundException";
    fault(&rig, &json!({"action": "ListSecretVersionIds", "times": 2, "code": missing, "message": "not here"}));
    fault(&rig, &json!({"action": "GetSecretValue", "times": 1, "code": missing, "message": "not here"}));
    workspace.write("main.tf", &configuration(&rig, MANAGED));
    workspace.apply().ok();
    workspace.plan().nothing();
    let left: Vec<u64> =
        (0..2).map(|n| rig.control("GET", "faults", &Value::Null)[n]["left"].as_u64().unwrap()).collect();
    assert_eq!(left, [0, 0], "both were met");
}

#[test]
fn a_rotation_whose_answer_was_lost_is_made_once() {
    let rig = postgres();
    let workspace = Workspace::new(&rig);
    workspace.write("main.tf", &configuration(&rig, &round("1", "")));
    workspace.apply().ok();
    let secret_ref = text(&workspace.resource(ADDRESS).unwrap(), "secret_ref");
    rig.control("PUT", "settings", &json!({"modify_polls": 4, "available_polls": 1, "password_delay_polls": 2}));
    fault(&rig, &json!({"action": "ModifyDBInstance", "times": 1, "when": "after", "drop": true}));
    workspace.write("main.tf", &configuration(&rig, &round("2", "")));
    workspace.apply().ok();
    workspace.plan().nothing();
    let params = json!({"SecretId": secret_ref, "IncludeDeprecated": true});
    let versions =
        rig.aws_of(rig.database(0), "secretsmanager", "list_secret_version_ids", &params).unwrap()["Versions"].clone();
    assert_eq!(versions.as_array().unwrap().len(), 2, "one rotation makes one version: {versions}");
    assert!(rotations(&rig) >= 2, "the call was sent again");
    assert!(logs_in(&rig, &stored_password(&rig, &secret_ref)));
}
