//! What happens to a stored password behind the provider's back, on every engine and with every strategy: each is one
//! update in place, and a second plan is empty.

use rdsaccess::store::secrets_manager::token;
use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, is_postgres, login, master_secret, moved, password, planned_changes, secret_of};
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";

struct Drifting<'a> {
    rig: &'a Rig,
    workspace: Workspace<'a>,
}

impl Drifting<'_> {
    fn database(&self) -> &Database {
        self.rig.database(0)
    }

    fn state(&self) -> Value {
        self.workspace.resource(IT).expect("the role is in the state")
    }

    fn set_password(&self, user: &str, password: &str) {
        if is_postgres(self.database()) {
            as_owner(self.database(), "shop", &format!("ALTER ROLE {user} PASSWORD '{password}'"));
        } else {
            as_owner(self.database(), "", &format!("ALTER USER {user} IDENTIFIED BY '{password}'"));
        }
    }

    /// A new version of the secret with these labels, as this provider writes it on another machine.
    fn put(&self, user: &str, password: &str, stages: &[&str]) {
        let value = json!({ "username": user, "password": password }).to_string();
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let params = json!({
            "SecretId": self.state()["secret_ref"], "SecretString": value, "VersionStages": stages,
            "ClientRequestToken": token::of(random),
        });
        self.rig.aws_of(self.database(), "secretsmanager", "put_secret_value", &params).unwrap();
    }

    fn reads(&self, login: &Login<'_>) -> bool {
        let rows = login.clone().database("shop").run(self.rig, "SELECT note FROM orders");
        rows.is_ok_and(|rows| rows == [["first"]])
    }

    /// One update in place says what is wrong and promises `ok`; afterwards all is well.
    fn is_repaired(&self, words: &str) {
        let plan = self.workspace.plan().changes().stdout;
        assert!(plan.contains(&format!("\"{words}\" -> \"ok\"")), "{words}: {plan}");
        let changes = planned_changes(&self.workspace);
        assert_eq!((changes.len(), &changes[0]["change"]["actions"]), (1, &json!(["update"])), "{words}");
        // Of two logins either may have the pending password, which a plan does not read.
        let allowed = ["credential", "rotated_at", "secret_ref", "secret_version", "username"];
        assert!(moved(&changes[0]).iter().all(|name| allowed.contains(name)), "{words}: {:?}", moved(&changes[0]));
        self.workspace.apply_planned().ok();
        self.workspace.plan().nothing();
        let (state, database) = (self.state(), self.database());
        assert!(self.reads(&login(self.rig, database, &state)), "{words}");
        let secret = secret_of(self.rig, database, "hoop_ro").unwrap();
        assert!(!secret["VersionIdsToStages"].to_string().contains("AWSPENDING"), "{words}: {secret}");
    }
}

fn drifts(wish: DatabaseWish, strategy: &str) {
    let rig = Rig::start(&Wish::organization().with(wish.holding(&["shop"])));
    fill(rig.database(0), &["shop"]);
    let (it, admin) = (Drifting { rig: &rig, workspace: Workspace::new(&rig) }, master_secret(&rig, rig.database(0)));
    for round in 1..=2 {
        let text = format!(
            "{}\nresource \"rdsaccess_role\" \"it\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {{ \
             secret_ref = \"{admin}\" }}\n  rotation = {{ strategy = \"{strategy}\", keepers = {{ round = \"{round}\" }} \
             }}\n}}\n",
            blocks::provider(&rig, ""),
            rig.database(0).arn,
        );
        it.workspace.write("main.tf", &text);
        it.workspace.apply().ok();
        it.workspace.plan().nothing();
    }
    let made = it.state();
    let user = made["username"].as_str().unwrap().to_owned();
    assert_eq!(user, if strategy == "two_users" { "hoop_ro_clone" } else { "hoop_ro" });

    it.set_password(&user, "Changed~by-hand-1");
    it.is_repaired("the stored password is refused");
    assert!(!it.reads(&Login::new(it.database(), &user, "Changed~by-hand-1")), "the password by hand has ended");

    let secret = json!({ "SecretId": made["secret_ref"] });
    rig.aws_of(it.database(), "secretsmanager", "delete_secret", &secret).unwrap();
    it.is_repaired("no stored password");

    // A change that was stored and never made, and one that was made and never promoted.
    let before = it.state();
    let old = login(&rig, it.database(), &before);
    it.put(&user, "Left~pending-1", &["AWSPENDING"]);
    it.is_repaired("a change of the password did not finish");
    let overlaps = strategy == "dual_password" || before["username"] != user;
    assert_eq!(it.reads(&old), overlaps, "the password before was ours, and has its overlap");
    it.put(&user, "Left~pending-2", &["AWSPENDING"]);
    it.set_password(&user, "Left~pending-2");
    it.is_repaired("the stored password is refused");
    assert_eq!(password(&rig, it.database(), made["secret_ref"].as_str().unwrap()), "Left~pending-2", "it was used");

    // Another machine has rotated: nothing is left to do, and the state follows.
    let before = it.state();
    it.put(&user, "Rotated~elsewhere-1", &["AWSCURRENT"]);
    it.set_password(&user, "Rotated~elsewhere-1");
    it.workspace.plan().nothing();
    it.workspace.apply().ok();
    let after = it.state();
    assert_ne!(after["secret_version"], before["secret_version"]);
    assert_eq!((&after["credential"], &after["username"]), (&json!("ok"), &json!(user)));
    assert!(it.reads(&login(&rig, it.database(), &after)));

    // And one that promoted what the database never took.
    it.put(&user, "Promoted~elsewhere-2", &["AWSCURRENT"]);
    it.is_repaired("the stored password is refused");
    let secrets =
        ["Changed~by-hand-1", "Left~pending-1", "Left~pending-2", "Rotated~elsewhere-1", "Promoted~elsewhere-2"];
    assert_eq!(it.workspace.leaks(&secrets), []);
}

fn instance(engine: &str) -> DatabaseWish {
    DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine)
}

#[test]
fn one_postgres_login_is_repaired() {
    drifts(instance("postgres"), "single");
}

#[test]
fn two_postgres_logins_are_repaired() {
    drifts(instance("postgres"), "two_users");
}

#[test]
fn one_mariadb_login_is_repaired() {
    drifts(instance("mariadb"), "single");
}

#[test]
fn two_mariadb_logins_are_repaired() {
    drifts(instance("mariadb"), "two_users");
}

#[test]
fn a_mysql_login_with_two_passwords_is_repaired() {
    drifts(instance("mysql").on_mysql(), "dual_password");
}

#[test]
fn one_mysql_login_is_repaired() {
    drifts(instance("mysql").on_mysql(), "single");
}
