//! Two logins that take turns, when something else happens: a moved store, a role that is made again, a failed step, a
//! kill, and a role that already has the name of the second login.

use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, has_role, is_unproven, login, master_secret, our_roles, secret_of, within};
use crate::killed::{SOON, hang, hangs, kill_provider, start};
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const IT: &str = "rdsaccess_role.it";

struct Stage {
    rig: Rig,
    admin: String,
}

impl Stage {
    fn new(engine: &str) -> Self {
        let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]);
        let rig = Rig::start(&Wish::organization().with(wish));
        fill(rig.database(0), &["shop"]);
        let admin = master_secret(&rig, rig.database(0));
        Self { rig, admin }
    }

    fn database(&self) -> &Database {
        self.rig.database(0)
    }

    /// A role resource with these lines.
    fn role(&self, label: &str, lines: &str) -> String {
        format!(
            "resource \"rdsaccess_role\" \"{label}\" {{\n  target_arn = \"{}\"\n  access = \"read_only\"\n  admin = {{ \
             secret_ref = \"{}\" }}\n  {lines}\n}}\n",
            self.database().arn,
            self.admin
        )
    }

    fn write(&self, workspace: &Workspace<'_>, provider: &str, lines: &str) {
        workspace.write("main.tf", &(blocks::provider(&self.rig, provider) + &self.role("it", lines)));
    }

    fn login(&self, state: &Value) -> Login<'_> {
        login(&self.rig, self.database(), state)
    }

    fn reads(&self, login: &Login<'_>) -> bool {
        let rows = login.clone().database("shop").run(&self.rig, "SELECT note FROM orders");
        rows.is_ok_and(|rows| rows == [["first"]])
    }

    fn destroyed(&self, workspace: &Workspace<'_>) {
        workspace.destroy().ok();
        assert!(our_roles(self.database()).is_empty(), "both logins go: {:?}", our_roles(self.database()));
        let secret = secret_of(&self.rig, self.database(), "hoop_ro").expect("it waits for its deletion");
        assert!(secret.get("DeletedDate").is_some(), "{secret}");
    }
}

fn two_users(round: u8) -> String {
    format!("rotation = {{ strategy = \"two_users\", keepers = {{ round = \"{round}\" }} }}")
}

fn apply(workspace: &Workspace<'_>) -> Value {
    workspace.apply().ok();
    workspace.plan().nothing();
    workspace.resource(IT).expect("the role is in the state")
}

fn username(state: &Value) -> &str {
    state["username"].as_str().expect("a name")
}

#[test]
fn a_moved_store_does_not_end_the_login_in_use() {
    let stage = Stage::new("mariadb");
    let workspace = Workspace::new(&stage.rig);
    stage.write(&workspace, "", &two_users(1));
    apply(&workspace);
    stage.write(&workspace, "", &two_users(2));
    let clones = apply(&workspace);
    let second = stage.login(&clones);

    let moved = "store = { secrets_manager = { name_prefix = \"other/\" } }";
    stage.write(&workspace, moved, &two_users(2));
    workspace.plan().nothing();
    stage.write(&workspace, moved, &two_users(3));
    let first = apply(&workspace);
    assert_eq!((username(&clones), username(&first)), ("hoop_ro_clone", "hoop_ro"));
    assert_ne!(first["secret_ref"], clones["secret_ref"]);
    assert!(stage.reads(&stage.login(&first)) && stage.reads(&second), "the login before stays good");
}

/// A role that goes without its secret, and comes again when it is the second login's turn.
fn is_made_again(engine: &str, on_destroy: &str) {
    let stage = Stage::new(engine);
    let workspace = Workspace::new(&stage.rig);
    let lines = |round| format!("on_destroy = \"{on_destroy}\"\n  {}", two_users(round));
    stage.write(&workspace, "", &lines(1));
    let first = stage.login(&apply(&workspace));
    stage.write(&workspace, "", &lines(2));
    let second = stage.login(&apply(&workspace));
    workspace.destroy().ok();
    let stays = on_destroy == "retain";
    assert_eq!([stage.reads(&first), stage.reads(&second)], [stays, stays], "{on_destroy}");
    let again = apply(&workspace);
    assert_eq!(username(&again), "hoop_ro_clone", "its turn goes on");
    assert!(stage.reads(&stage.login(&again)));
    stage.write(&workspace, "", &two_users(3));
    assert_eq!(username(&apply(&workspace)), "hoop_ro");
    stage.destroyed(&workspace);
}

#[test]
fn a_retained_role_takes_up_its_turn_on_postgres() {
    is_made_again("postgres", "retain");
}

#[test]
fn a_retained_role_takes_up_its_turn_on_mariadb() {
    is_made_again("mariadb", "retain");
}

/// The secret names the first login, and no mark tells whose the second one is.
#[test]
fn a_retained_role_knows_its_second_login_again_on_mariadb() {
    let stage = Stage::new("mariadb");
    let workspace = Workspace::new(&stage.rig);
    let lines = |round| format!("on_destroy = \"retain\"\n  {}", two_users(round));
    for round in 1..=3 {
        stage.write(&workspace, "", &lines(round));
        apply(&workspace);
    }
    workspace.destroy().ok();
    // Somebody else's login of that name has rights of its own.
    as_owner(stage.database(), "", "GRANT INSERT ON shop.* TO hoop_ro_clone@'%'");
    let refused = workspace.apply().error();
    assert!(refused.contains("The name of the role is taken") && refused.contains("hoop_ro_clone"), "{refused}");
    as_owner(stage.database(), "", "REVOKE INSERT ON shop.* FROM hoop_ro_clone@'%'");
    assert_eq!(username(&apply(&workspace)), "hoop_ro");
    stage.write(&workspace, "", &two_users(4));
    let clones = apply(&workspace);
    assert_eq!(username(&clones), "hoop_ro_clone");
    assert!(stage.reads(&stage.login(&clones)));
    stage.destroyed(&workspace);
}

/// An import knows the role's name; whose turn it is stands in its secret.
#[test]
fn a_role_with_two_logins_is_imported_during_either_turn() {
    for (engine, turns) in [("postgres", 2), ("mariadb", 3)] {
        let stage = Stage::new(engine);
        let workspace = Workspace::new(&stage.rig);
        let mut before = Value::Null;
        for round in 1..=turns {
            stage.write(&workspace, "", &two_users(round));
            before = apply(&workspace);
        }
        workspace.run(&["state", "rm", IT]).ok();
        workspace.import(IT, &format!("{}|hoop_ro", stage.database().arn)).ok();
        let after = apply(&workspace);
        for name in ["username", "secret_ref", "secret_version", "credential"] {
            assert_eq!(after[name], before[name], "{engine}: {name}");
        }
        stage.write(&workspace, "", &two_users(turns + 1));
        let next = apply(&workspace);
        assert_ne!(username(&next), username(&before), "{engine}: the turns go on");
        assert!(stage.reads(&stage.login(&next)), "{engine}");
        stage.destroyed(&workspace);
    }
}

#[test]
fn a_disabled_role_takes_up_its_turn_on_mariadb() {
    is_made_again("mariadb", "disable");
}

#[test]
fn a_step_that_fails_after_a_rotation_does_not_repeat_it() {
    let stage = Stage::new("postgres");
    let (database, workspace) = (stage.database(), Workspace::new(&stage.rig));
    stage.write(&workspace, "", &two_users(1));
    apply(&workspace);
    stage.write(&workspace, "", &two_users(2));
    let clones = apply(&workspace);
    as_owner(database, "shop", "CREATE TABLE kept (id int)");
    as_owner(database, "shop", "ALTER TABLE kept OWNER TO hoop_ro_clone");
    stage.write(&workspace, "", "rotation = { keepers = { round = \"3\" } }");
    let error = workspace.apply().error();
    assert!(error.contains("hoop_ro_clone owns"), "{error}");
    let reached = workspace.resource(IT).expect("the role is in the state");
    assert_ne!(reached["secret_version"], clones["secret_version"]);
    assert_eq!((username(&reached), &reached["rotation"]["keepers"]["round"]), ("hoop_ro", &json!("3")));
    let in_use = stage.login(&reached);
    assert!(stage.reads(&in_use));

    as_owner(database, "shop", "DROP TABLE kept");
    let single = apply(&workspace);
    assert_eq!(single["secret_version"], reached["secret_version"], "the password is not replaced again");
    assert!(stage.reads(&in_use));
    assert!(!has_role(database, "hoop_ro_clone"), "the second login is not forgotten");
    stage.destroyed(&workspace);
}

/// The provider dies when the second login has its password, and before that is promoted.
fn is_killed_at_the_second_turn<'a>(stage: &'a Stage, workspace: &Workspace<'_>) -> Login<'a> {
    stage.write(workspace, "", &two_users(1));
    let first = stage.login(&apply(workspace));
    stage.write(workspace, "", &two_users(2));
    hang(&stage.rig, "UpdateSecretVersionStage", 0);
    let terraform = start(workspace, "apply");
    assert!(within(SOON, || hangs(&stage.rig)), "the promotion was never asked for");
    kill_provider(terraform);
    stage.rig.control("DELETE", "faults", &Value::Null);
    assert!(has_role(stage.database(), "hoop_ro_clone"), "it was made before the kill");
    assert!(stage.reads(&first), "whoever reads the secret still gets in");
    first
}

#[test]
fn a_killed_turn_of_the_second_login_is_continued_on_postgres() {
    let stage = Stage::new("postgres");
    let workspace = Workspace::new(&stage.rig);
    let first = is_killed_at_the_second_turn(&stage, &workspace);
    let stored = stage.rig.calls("PutSecretValue").len();
    let clones = apply(&workspace);
    assert_eq!(username(&clones), "hoop_ro_clone");
    assert!(stage.reads(&stage.login(&clones)) && stage.reads(&first));
    assert_eq!(stage.rig.calls("PutSecretValue").len(), stored, "the pending password was used, not replaced");
    assert!(!is_unproven(&secret_of(&stage.rig, stage.database(), "hoop_ro").unwrap()));
    stage.destroyed(&workspace);
}

#[test]
fn a_killed_turn_of_the_second_login_is_destroyed_on_mariadb() {
    let stage = Stage::new("mariadb");
    let workspace = Workspace::new(&stage.rig);
    let first = is_killed_at_the_second_turn(&stage, &workspace);
    stage.destroyed(&workspace);
    assert!(!stage.reads(&first));
}

/// `hoop_ro_clone` as a role of its own and as the second login of `hoop_ro`: whichever comes second is refused.
#[test]
fn a_role_and_a_second_login_of_one_name_do_not_take_each_other_over() {
    for engine in ["postgres", "mariadb"] {
        let stage = Stage::new(engine);
        let own = stage.role("own", "name = \"hoop_ro_clone\"");
        let write = |workspace: &Workspace<'_>, text: &str| {
            workspace.write("main.tf", &(blocks::provider(&stage.rig, "") + text));
        };
        let workspace = Workspace::new(&stage.rig);
        write(&workspace, &own);
        workspace.apply().ok();
        write(&workspace, &(own.clone() + &stage.role("it", &two_users(1))));
        let refused = workspace.apply().error();
        assert!(refused.contains("The name of the role is taken") && refused.contains("role of its own"), "{refused}");
        assert!(!has_role(stage.database(), "hoop_ro"), "nothing was made");
        workspace.destroy().ok();

        // Before its first turn there is no second login that could be in the way.
        let two = Workspace::new(&stage.rig);
        write(&two, &stage.role("it", &two_users(1)));
        two.apply().ok();
        write(&workspace, &own);
        workspace.apply().ok();
        let made = workspace.resource("rdsaccess_role.own").expect("the role is in the state");
        write(&two, &stage.role("it", &two_users(2)));
        let refused = two.apply().error();
        assert!(refused.contains("role of its own"), "{refused}");
        two.destroy().ok();
        assert!(stage.reads(&stage.login(&made)), "{engine}: a destroy of the other role spares it");
        workspace.destroy().ok();

        write(&two, &stage.role("it", &two_users(1)));
        two.apply().ok();
        write(&two, &stage.role("it", &two_users(2)));
        let clones = apply(&two);
        write(&workspace, &own);
        let refused = workspace.apply().error();
        assert!(refused.contains("The name of the role is taken"), "{refused}");
        assert!(stage.reads(&stage.login(&clones)), "{engine}: the second login is as it was");
    }
}

/// Before its first turn nothing is the second login: one that somebody makes under its name is theirs.
#[test]
fn a_login_of_the_second_ones_name_that_came_first_is_left_alone() {
    for (engine, makes, takes) in [
        (
            "postgres",
            "CREATE ROLE hoop_ro_clone LOGIN PASSWORD 'by-hand-1'",
            "GRANT CREATE ON DATABASE shop TO hoop_ro_clone",
        ),
        ("mariadb", "CREATE USER hoop_ro_clone IDENTIFIED BY 'by-hand-1'", "GRANT ALL ON shop.* TO hoop_ro_clone"),
    ] {
        let stage = Stage::new(engine);
        let workspace = Workspace::new(&stage.rig);
        stage.write(&workspace, "", &two_users(1));
        let first = apply(&workspace);
        let database = if engine == "postgres" { "shop" } else { "" };
        as_owner(stage.database(), database, makes);
        as_owner(stage.database(), database, takes);
        workspace.plan().nothing();
        stage.write(&workspace, "", &two_users(2));
        let refused = workspace.apply().error();
        assert!(refused.contains("The name of the role is taken"), "{engine}: {refused}");
        let theirs = Login::new(stage.database(), "hoop_ro_clone", "by-hand-1").database("shop");
        let works = || theirs.run(&stage.rig, "SELECT 1").is_ok();
        assert!(works() && stage.reads(&stage.login(&first)), "{engine}: both are as they were");

        stage.write(&workspace, "", "");
        apply(&workspace);
        assert!(works(), "{engine}: without a second login nothing is dropped");
        stage.write(&workspace, "", &two_users(2));
        assert!(workspace.apply().error().contains("The name of the role is taken"), "{engine}");
        workspace.destroy().ok();
        assert!(works() && has_role(stage.database(), "hoop_ro_clone"), "{engine}: nor by a destroy");
    }
}
