//! `rdsaccess_notification` with real databases: from the security group to the one who is told.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, has_role, master_secret, moved, password, planned_changes};
use crate::receiver::{Receiver, Taken};
use crate::rig::{Database, Rig, fakes, python, python_program};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_notification.it";
/// `whsec_` and `a key of Standard Webhooks!` in base64.
pub(crate) const KEY: &str = "whsec_YSBrZXkgb2YgU3RhbmRhcmQgV2ViaG9va3Mh";
/// The key comes as a person would give it: through the environment, and nothing writes it down.
pub(crate) const KEY_VARIABLE: &str =
    "variable \"key\" {\n  type      = string\n  ephemeral = true\n  default   = null\n}\n";
const MASTER: &str = "Master-0f-Ledger";
const ROLES: [(&str, &str); 3] = [("ro", "read_only"), ("rw", "read_write"), ("ddl", "ddl")];

fn rig() -> Rig {
    let ledger = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", "postgres");
    let rig =
        Rig::start(&Wish::organization().with(ledger.holding(&["shop"]).tag("team", "pay").master_password(MASTER)));
    fill(rig.database(0), &["shop"]);
    rig
}

/// The script of the product's documentation, as it stands there.
fn documented_script() -> String {
    fakes().join("hoop-hooks/aws-connect-post-exec.runbook.py").display().to_string()
}

/// A security group, a master credential, three roles and those who are told of them.
fn chain(rig: &Rig, receiver: &Receiver, round: u8, notification: &str) -> String {
    let roles: String = ROLES
        .iter()
        .map(|(short, access)| {
            format!(
                r#"
resource "rdsaccess_role" "{short}" {{
  target_arn = local.arn
  access     = "{access}"
  admin      = {{ secret_ref = rdsaccess_master_credential.it.secret_ref }}
  rotation   = {{ keepers = {{ round = "{round}" }} }}
}}
"#
            )
        })
        .collect();
    format!(
        r#"{provider}
{KEY_VARIABLE}
locals {{
  arn = "{arn}"
}}

resource "rdsaccess_security_group" "it" {{
  target_arn = local.arn
  ingress    = [{{ cidr_ipv4 = "10.20.0.0/16" }}]
}}

resource "rdsaccess_master_credential" "it" {{
  target_arn = local.arn
}}
{roles}
resource "rdsaccess_notification" "it" {{
  target_arn = local.arn
  results    = [rdsaccess_role.ro, rdsaccess_role.rw, rdsaccess_role.ddl]
  webhook    = {{ url = "{url}/roles", secret_wo = var.key }}
  {notification}
}}
"#,
        provider = blocks::provider(rig, "allow_command = true"),
        arn = rig.database(0).arn,
        url = receiver.url,
    )
}

fn state(workspace: &Workspace<'_>, address: &str) -> Value {
    workspace.resource(address).unwrap_or_else(|| panic!("{address} is not in the state"))
}

/// What the documented script prints, with the passwords as they are shown.
fn printed(database: &Database, it: &Value, roles: &[Value], shown: &str) -> String {
    let mut lines = vec![
        "STARTING AWS CONNECT RUNBOOKS HOOK\n".to_owned(),
        "REQUEST OBJECT".to_owned(),
        "--------------".to_owned(),
        format!("request sid: {}", it["event_id"].as_str().unwrap()),
        format!("request DB ARN: {}", database.arn),
        "request database tags: [{'team': 'pay'}]".to_owned(),
        format!("request database hostname: {}", database.endpoint),
        format!("request database port: {}", database.port),
        format!("request database master username: {}", database.master_username),
        format!("request database master password: {shown}"),
        "request vault provider: None".to_owned(),
        "\nRESPONSE OBJECT".to_owned(),
        "--------------".to_owned(),
        "response status: completed".to_owned(),
        "response message: ".to_owned(),
        "\nROLES PROVISIONING RESULT".to_owned(),
        "--------------".to_owned(),
    ];
    for ((short, _), role) in ROLES.iter().zip(roles) {
        lines.extend([
            "  status -> completed".to_owned(),
            "  message -> ".to_owned(),
            format!("  completed_at -> {}", role["rotated_at"].as_str().unwrap()),
            format!("  role_suffix_name -> {short}"),
            format!("  credentials role user -> hoop_{short}"),
            format!("  credentials role password -> {shown}"),
            "  credentials secrets manager provider -> aws".to_owned(),
            "  ---".to_owned(),
        ]);
    }
    lines.join("\n") + "\n"
}

/// What the event says, and that receivers accept its signature.
fn is_the_documented_event(taken: &Taken, database: &Database, it: &Value, roles: &[Value]) {
    assert_eq!(taken.line, "POST /roles HTTP/1.1");
    assert_eq!(taken.verified(python(), KEY), "standardwebhooks accepts\nsvix accepts\n");
    let event = taken.json();
    let job = &event["event_payload"];
    assert_eq!(event["event_type"], "dbroles.job.finished");
    assert_eq!((&job["id"], taken.id()), (&it["event_id"], it["event_id"].as_str().unwrap()));
    let spec = json!({
        "account_arn": job["spec"]["account_arn"], "db_arn": database.arn, "db_name": "", "db_engine": "postgres",
        "db_tags": [{"key": "team", "value": "pay"}],
    });
    assert_eq!(job["spec"], spec);
    assert!(job["spec"]["account_arn"].as_str().unwrap().starts_with("arn:aws:"), "{job}");
    let results: Vec<Value> = roles
        .iter()
        .map(|role| {
            json!({
                "user_role": role["username"], "status": "completed", "message": "", "completed_at": role["rotated_at"],
                "credentials_info": {
                    "secrets_manager_provider": "aws", "secret_id": role["secret_ref"],
                    "secret_keys": ["host", "port", "username", "password", "dbname"],
                },
            })
        })
        .collect();
    assert_eq!(job["status"], json!({"phase": "completed", "message": "", "result": results}));
    assert_eq!((&job["hook_status"]["exit_code"], &job["hook_status"]["output"]), (&json!(0), &it["output"]));
}

#[test]
fn the_whole_chain_tells_the_webhook_and_runs_the_documented_script_and_no_secret_is_left() {
    let (rig, receiver) = (rig(), Receiver::start());
    let mut workspace = Workspace::new(&rig);
    workspace.set("TF_VAR_key", KEY);
    for variable in ["TF_LOG_PROVIDER", "RUST_LOG"] {
        workspace.set(variable, "trace");
    }
    let database = rig.database(0);
    let command = format!("command = [{:?}, {:?}]", python_program().display().to_string(), documented_script());
    let with_secrets = format!("{command}\n  include_secrets = true");
    let roles = || ROLES.map(|(short, _)| state(&workspace, &format!("rdsaccess_role.{short}")));
    let secrets_of = |roles: &[Value]| -> Vec<String> {
        roles.iter().map(|role| password(&rig, database, role["secret_ref"].as_str().unwrap())).collect()
    };

    workspace.write("main.tf", &chain(&rig, &receiver, 1, &with_secrets));
    workspace.plan().changes();
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let (it, first) = (state(&workspace, IT), roles());
    assert_eq!((&it["status"], &it["message"], &it["exit_code"]), (&json!("completed"), &json!(""), &json!(0)));
    assert_eq!(it["output"], printed(database, &it, &first, "***"));
    assert_eq!(receiver.taken().len(), 1);
    is_the_documented_event(&receiver.taken()[0], database, &it, &first);
    let mut secrets = secrets_of(&first);

    // Nothing that matters: nobody is told.
    workspace.write("main.tf", &chain(&rig, &receiver, 1, &format!("{command}\n  timeout = \"2m\"")));
    workspace.plan().changes();
    let changes = planned_changes(&workspace);
    assert_eq!(moved(&changes[0]), ["include_secrets", "timeout"].into());
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    assert_eq!((receiver.taken().len(), &state(&workspace, IT)["event_id"]), (1, &it["event_id"]));

    // New passwords: everybody is told, and without `include_secrets` the command gets none.
    workspace.write("main.tf", &chain(&rig, &receiver, 2, &command));
    workspace.plan().changes();
    workspace.apply_planned().ok();
    workspace.plan().nothing();
    let (again, second) = (state(&workspace, IT), roles());
    assert_ne!(again["event_id"], it["event_id"]);
    assert_eq!(again["output"], printed(database, &again, &second, ""));
    assert_eq!(receiver.taken().len(), 2);
    is_the_documented_event(&receiver.taken()[1], database, &again, &second);
    secrets.extend(secrets_of(&second));

    let master = state(&workspace, "rdsaccess_master_credential.it");
    secrets.push(password(&rig, database, master["secret_ref"].as_str().unwrap()));
    workspace.destroy().ok();
    assert_eq!(receiver.taken().len(), 2, "a destroy tells nobody");
    secrets.extend([MASTER, KEY, KEY.trim_start_matches("whsec_")].map(str::to_owned));
    assert_eq!(secrets.len(), 10);
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    assert_eq!(workspace.leaks(&secrets), []);
    let sent: String = receiver.taken().iter().map(|taken| taken.body.clone()).collect();
    assert!(secrets.iter().all(|secret| !sent.contains(secret)), "a webhook never gets a password");
}

/// What depends on a step that failed does not run: nobody is told of half the work, and the apply that ends it tells all.
#[test]
fn a_role_that_cannot_be_made_fails_the_apply_and_the_event_follows_with_the_apply_that_makes_it() {
    let (rig, receiver) = (rig(), Receiver::start());
    let mut workspace = Workspace::new(&rig);
    workspace.set("TF_VAR_key", KEY);
    let database = rig.database(0);
    let credential = |password: &str| json!({"username": database.master_username, "password": password}).to_string();
    let secret = json!({"Name": "masters/late", "SecretString": credential("not-the-password")});
    let late = rig.aws_of(database, "secretsmanager", "create_secret", &secret).expect("the secret is stored");
    let late = late["ARN"].as_str().unwrap();
    let role = |short: &str, access: &str, admin: &str| {
        format!(
            "resource \"rdsaccess_role\" \"{short}\" {{\n  target_arn = \"{}\"\n  access = \"{access}\"\n  \
             admin = {{ secret_ref = \"{admin}\" }}\n}}\n",
            database.arn
        )
    };
    let text = format!(
        r#"{provider}
{KEY_VARIABLE}
{ro}
{rw}
resource "rdsaccess_notification" "it" {{
  target_arn = "{arn}"
  results    = [rdsaccess_role.ro, rdsaccess_role.rw]
  webhook    = {{ url = "{url}/roles", secret_wo = var.key }}
}}
"#,
        provider = blocks::provider(&rig, ""),
        ro = role("ro", "read_only", &master_secret(&rig, database)),
        rw = role("rw", "read_write", late),
        arn = database.arn,
        url = receiver.url,
    );
    workspace.write("main.tf", &text);
    let said = workspace.apply().error();
    assert!(said.contains("refused the login") && said.contains(&database.arn), "{said}");
    assert_eq!((has_role(database, "hoop_ro"), has_role(database, "hoop_rw")), (true, false));
    assert_eq!((receiver.taken().len(), workspace.resource(IT)), (0, None), "the event waits for all of its roles");

    let secret = json!({"SecretId": late, "SecretString": credential(MASTER)});
    rig.aws_of(database, "secretsmanager", "put_secret_value", &secret).expect("the secret is corrected");
    workspace.apply().ok();
    workspace.plan().nothing();
    let taken = receiver.taken();
    assert_eq!((taken.len(), taken[0].id()), (1, state(&workspace, IT)["event_id"].as_str().unwrap()));
    let status = &taken[0].json()["event_payload"]["status"];
    let told: Vec<&str> =
        status["result"].as_array().unwrap().iter().map(|role| role["user_role"].as_str().unwrap()).collect();
    assert_eq!((&status["phase"], told), (&json!("completed"), vec!["hoop_ro", "hoop_rw"]));
}

/// What it got are the passwords that log in, and however it prints them they are not in what it leaves.
#[test]
fn a_command_that_is_to_have_the_passwords_gets_those_that_log_in() {
    let rig = rig();
    let workspace = Workspace::new(&rig);
    let database = rig.database(0);
    let out = tempfile::NamedTempFile::new().unwrap();
    let keep = format!("printf '%s\\n%s' \"$REQUEST\" \"$RESPONSE\" > {}", out.path().display());
    let print = "printf %s $SECRET | base64 -w0; echo; printf \"x$SECRET\" | base64 -w0; printf \"xy$SECRET\" | base64 -w0; \
                 echo; printf %s $SECRET | od -An -v -tx1 | tr -d ' \\n'; echo \" <$SECRET> $RESPONSE\"";
    let secret = "SECRET=$(printf %s \"$RESPONSE\" | grep -o '.password.:.[^,\"]*' | cut -d'\"' -f4)";
    let script =
        format!("REQUEST=$HOOP_AWS_CONNECT_REQUEST RESPONSE=$HOOP_AWS_CONNECT_RESPONSE; {keep}; {secret}; {print}");
    let text = format!(
        r#"{provider}
resource "rdsaccess_role" "it" {{
  target_arn = "{arn}"
  access     = "read_only"
  admin      = {{ secret_ref = "{admin}" }}
}}

resource "rdsaccess_notification" "it" {{
  target_arn      = "{arn}"
  results         = [rdsaccess_role.it]
  command         = ["sh", "-c", {script:?}]
  include_secrets = true
}}
"#,
        provider = blocks::provider(&rig, "allow_command = true"),
        arn = database.arn,
        admin = master_secret(&rig, database),
    );
    workspace.write("main.tf", &text);
    workspace.apply().ok();
    let role = state(&workspace, "rdsaccess_role.it");
    let got = std::fs::read_to_string(out.path()).unwrap();
    let (request, response) = got.split_once('\n').unwrap();
    let [request, response]: [Value; 2] = [request, response].map(|text| serde_json::from_str(text).unwrap());
    let credentials = &response["result"][0]["db_credentials"];
    assert_eq!(credentials["password"], password(&rig, database, role["secret_ref"].as_str().unwrap()));
    let login = crate::sql::Login::new(database, "hoop_ro", credentials["password"].as_str().unwrap()).database("shop");
    assert_eq!(login.run(&rig, "SELECT note FROM orders").unwrap(), [["first"]]);
    // The master's secret lies where only its owner knows, so its password stays empty.
    assert_eq!((&request["master_user"], &request["master_password"]), (&json!(database.master_username), &json!("")));
    assert_eq!(request["exec_hook"]["command"], json!(["sh", "-c", script]));
    let output = state(&workspace, IT)["output"].as_str().unwrap().to_owned();
    assert!(output.matches("***").count() >= 6 && output.contains(" <***> {"), "{output}");
    assert_eq!(workspace.leaks(&[credentials["password"].as_str().unwrap()]), []);
}
