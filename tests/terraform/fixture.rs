//! What several tests of roles need: tables, the secrets around a role, and the provider's processes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{Database, Rig};
use crate::sql::{Login, Rows, as_owner};
use crate::workspace::{Run, Workspace};

/// A table `orders` with a row in each of these databases, owned by the master user where tables have owners.
pub(crate) fn fill(database: &Database, names: &[&str]) {
    for name in names {
        as_owner(database, name, "CREATE TABLE orders (id int PRIMARY KEY, note text)");
        as_owner(database, name, "INSERT INTO orders VALUES (1, 'first')");
        if is_postgres(database) {
            as_owner(database, name, &format!("ALTER TABLE orders OWNER TO \"{}\"", database.master_username));
        }
    }
}

pub(crate) fn is_postgres(database: &Database) -> bool {
    database.server.as_deref() == Some("postgres")
}

/// The master's credential as a secret that somebody else keeps.
pub(crate) fn master_secret(rig: &Rig, database: &Database) -> String {
    store(rig, database, &format!("masters/{}", database.identifier), &json!([]))
}

/// The master's credential as this provider keeps it at its default place: found without being named.
pub(crate) fn default_master_secret(rig: &Rig, database: &Database) -> String {
    let Database { account_id, region, identifier, master_username, resource_id, .. } = database;
    let name = format!("rdsaccess/{account_id}/{region}/db/{identifier}/{master_username}");
    let tags = json!([
        {"Key": "rdsaccess:managed", "Value": "true"},
        {"Key": "rdsaccess:target", "Value": resource_id},
        {"Key": "rdsaccess:username", "Value": master_username},
    ]);
    store(rig, database, &name, &tags)
}

fn store(rig: &Rig, database: &Database, name: &str, tags: &Value) -> String {
    let value = json!({"username": database.master_username, "password": database.master_password}).to_string();
    let params = json!({"Name": name, "SecretString": value, "Tags": tags});
    let made = rig.aws_of(database, "secretsmanager", "create_secret", &params).expect("the secret is stored");
    made["ARN"].as_str().expect("an ARN").to_owned()
}

/// The proven password, read as an application reads it.
pub(crate) fn password(rig: &Rig, database: &Database, secret_ref: &str) -> String {
    let params = json!({"SecretId": secret_ref, "VersionStage": "AWSCURRENT"});
    let value = rig.aws_of(database, "secretsmanager", "get_secret_value", &params).expect("the secret has a value");
    let secret: Value = serde_json::from_str(value["SecretString"].as_str().expect("a text")).expect("JSON");
    secret["password"].as_str().expect("a password").to_owned()
}

/// The secret of a user at the provider's default place, by `describe_secret`; nothing where there is none.
pub(crate) fn secret_of(rig: &Rig, database: &Database, user: &str) -> Option<Value> {
    let Database { account_id, region, identifier, .. } = database;
    let name = format!("rdsaccess/{account_id}/{region}/db/{identifier}/{user}");
    rig.aws_of(database, "secretsmanager", "describe_secret", &json!({ "SecretId": name })).ok()
}

/// Whether the secret has no proven version: AWSPENDING is on a version, and AWSCURRENT on no other.
pub(crate) fn is_unproven(secret: &Value) -> bool {
    let versions = secret["VersionIdsToStages"].as_object().expect("versions");
    let carries = |stages: &Value, stage: &str| stages.as_array().is_some_and(|all| all.iter().any(|s| s == stage));
    versions.values().any(|stages| carries(stages, "AWSPENDING"))
        && versions.values().all(|stages| carries(stages, "AWSPENDING") || !carries(stages, "AWSCURRENT"))
}

/// Whether the server has a login of this name.
pub(crate) fn has_role(database: &Database, name: &str) -> bool {
    let (home, sql) = if is_postgres(database) {
        ("postgres", format!("SELECT 1 FROM pg_roles WHERE rolname = '{name}'"))
    } else {
        ("", format!("SELECT 1 FROM mysql.user WHERE user = '{name}'"))
    };
    !as_owner(database, home, &sql).is_empty()
}

/// The names of everything with our prefix on the server: logins and groups.
pub(crate) fn our_roles(database: &Database) -> Rows {
    if is_postgres(database) {
        as_owner(
            database,
            "postgres",
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'hoop\\_%' OR rolname LIKE 'rdsaccess\\_%' ORDER BY 1",
        )
    } else {
        as_owner(database, "", "SELECT user FROM mysql.user WHERE user LIKE 'hoop\\_%' ORDER BY 1")
    }
}

/// The login that a role resource in the state stands for, with its proven password.
pub(crate) fn login<'a>(rig: &Rig, database: &'a Database, state: &Value) -> Login<'a> {
    let secret_ref = state["secret_ref"].as_str().expect("the role has a secret");
    Login::new(database, state["username"].as_str().expect("a name"), &password(rig, database, secret_ref))
}

/// The resource changes of the plan in `plan.bin` that do something.
pub(crate) fn planned_changes(workspace: &Workspace<'_>) -> Vec<Value> {
    let planned = workspace.planned();
    let all = planned["resource_changes"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|one| one["change"]["actions"] != json!(["no-op"])).collect()
}

/// The attributes that a planned update moves: to another value, or to one that is not known yet.
pub(crate) fn moved(change: &Value) -> BTreeSet<&str> {
    let change = &change["change"];
    let names = change["before"].as_object().expect("an update has a state before").keys();
    let is_moved = |name: &&String| {
        change["after_unknown"].get(*name).is_some_and(|unknown| *unknown == json!(true))
            || change["before"][*name] != change["after"][*name]
    };
    names.filter(is_moved).map(String::as_str).collect()
}

/// The provider processes that this Terraform process has started and that run.
pub(crate) fn providers_of(terraform: u32) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").expect("the processes are listed").flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(") ")) else {
            return false;
        };
        let mut fields = rest.split(' ');
        let (state, parent) = (fields.next(), fields.next().and_then(|text| text.parse().ok()));
        // The kernel keeps 15 characters of a name.
        name == "terraform-provi" && state != Some("Z") && parent == Some(terraform)
    })
    .collect()
}

/// Sends a signal to one process, or to a process group by its number below zero.
pub(crate) fn signal(name: &str, pid: i64) {
    let sent = Command::new("kill").args([&format!("-{name}"), "--", &pid.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "no process {pid}");
}

/// Whether it came true in time, looked at ten times a second.
pub(crate) fn within(time: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}

/// Runs a Terraform command in a network namespace without any interface, not even loopback.
pub(crate) fn without_network(workspace: &Workspace<'_>, arguments: &[&str]) -> Run {
    let wanted = workspace.command(arguments);
    let root = fs::metadata("/proc/self").expect("this process").uid() == 0;
    let mut command = Command::new("unshare");
    command.arg(if root { "-n" } else { "-rn" }).arg("--").arg(wanted.get_program()).args(wanted.get_args());
    command.current_dir(workspace.folder()).stdin(Stdio::null()).env_clear();
    command.envs(wanted.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().expect("unshare runs");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs words of Bash beside the configuration, where the databases' names resolve; `TERRAFORM` is the program.
pub(crate) fn bash(workspace: &Workspace<'_>, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let terraform = workspace.command(&[]);
    let words = std::iter::once(terraform.get_program()).chain(terraform.get_args());
    let mut words: Vec<_> = words.map(ToOwned::to_owned).collect();
    let program = words.pop().expect("the program");
    words.push("bash".into());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(arguments).current_dir(workspace.folder()).env_clear();
    command.envs(terraform.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERRAFORM", program);
    command.envs(environment.iter().copied());
    let output = command.output().expect("bash runs");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The role of an account trusts somebody else from now on.
pub(crate) fn distrust(rig: &Rig, account: &str) {
    trust(rig, account, "arn:aws:iam::999999999999:role/other");
}

/// The role of an account trusts this principal alone from now on.
pub(crate) fn trust(rig: &Rig, account: &str, principal: &str) {
    let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": principal } });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let params = json!({ "RoleName": rig.made.organization.member_role, "PolicyDocument": policy });
    rig.aws(Some(account), "us-east-1", "iam", "update_assume_role_policy", &params).expect("another trust policy");
}
