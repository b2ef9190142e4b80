//! `secret_delivery = "copy"` beside a role whose password, and whose login, moves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::blocks;
use crate::fixture::{fill, is_postgres, master_secret, password};
use crate::gateway::{ADMIN, FakeGateway};
use crate::rig::{Database, Rig};
use crate::sql::{Login, as_owner};
use crate::wish::{DatabaseWish, Wish};
use crate::workspace::Workspace;

const GIVEN: &str = "Given~for-the-copy-1";
const ELSEWHERE: &str = "Rotated~elsewhere-1";

/// A role and its connection in one configuration.
struct Pair<'a> {
    rig: &'a Rig,
    gateway: &'a FakeGateway,
    workspace: Workspace<'a>,
    admin: String,
}

impl<'a> Pair<'a> {
    fn new(rig: &'a Rig, gateway: &'a FakeGateway) -> Self {
        let mut workspace = Workspace::new(rig);
        workspace.set("HOOP_APIURL", &gateway.url);
        workspace.set("HOOP_APIKEY", ADMIN);
        workspace.set("TF_VAR_password", GIVEN);
        Self { rig, gateway, workspace, admin: master_secret(rig, rig.database(0)) }
    }

    fn database(&self) -> &'a Database {
        self.rig.database(0)
    }

    fn write(&self, lines: &str) {
        let text = format!(
            r#"{provider}
variable "password" {{
  type      = string
  ephemeral = true
}}

resource "rdsaccess_role" "it" {{
  target_arn = "{arn}"
  access     = "read_only"
  databases  = ["shop"]
  admin      = {{ secret_ref = "{admin}" }}
  {lines}
}}

resource "rdsaccess_connection" "it" {{
  name            = "ledger-ro"
  target_arn      = rdsaccess_role.it.target_arn
  role            = rdsaccess_role.it
  agent_name      = "lab"
  secret_delivery = "copy"
}}
"#,
            provider = blocks::provider(self.rig, ""),
            arn = self.database().arn,
            admin = self.admin,
        );
        self.workspace.write("main.tf", &text);
    }

    fn role(&self) -> Value {
        self.workspace.resource("rdsaccess_role.it").expect("the role is in the state")
    }

    /// A variable of the stored connection, decoded.
    fn env(&self, key: &str) -> String {
        let stored = self.gateway.stored("ledger-ro");
        let encoded = stored["secret"][format!("envvar:{key}")].as_str().unwrap_or_default().to_owned();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    }

    /// What the connection holds logs in, is the proven password, and a second plan is empty.
    fn works_as(&self, user: &str) -> String {
        self.workspace.plan().nothing();
        let (pass, state) = (self.env("PASS"), self.role());
        assert_eq!((self.env("USER"), &state["username"]), (user.to_owned(), &json!(user)));
        assert_eq!(pass, password(self.rig, self.database(), state["secret_ref"].as_str().unwrap()));
        let connection = self.workspace.resource("rdsaccess_connection.it").unwrap();
        assert_eq!(connection["secret_state"], "in_sync");
        assert_eq!(connection["role"]["secret_version"], state["secret_version"]);
        let session = Login::new(self.database(), user, &pass).database(&self.env("DB"));
        assert_eq!(session.run(self.rig, "SELECT note FROM orders").unwrap(), [["first"]]);
        pass
    }
}

fn follows(engine: &str) {
    let wish = DatabaseWish::instance("payments-prod", "us-east-1", "ledger", engine).holding(&["shop"]);
    let (rig, gateway) = (Rig::start(&Wish::organization().with(wish)), FakeGateway::start());
    fill(rig.database(0), &["shop"]);
    let it = Pair::new(&rig, &gateway);
    let turn = |number: u8| {
        it.write(&format!("rotation = {{ strategy = \"two_users\", keepers = {{ round = \"{number}\" }} }}"));
        it.workspace.apply().ok();
    };
    turn(1);
    let mut passwords = vec![it.works_as("hoop_ro")];
    gateway.forget_log();
    turn(2);
    passwords.push(it.works_as("hoop_ro_clone"));
    assert_eq!(gateway.writes(), ["PUT /api/connections/ledger-ro 200"], "user and password go together");

    // Another machine has given the first login its turn: nobody touched the connection.
    let value = json!({ "username": "hoop_ro", "password": ELSEWHERE }).to_string();
    let params = json!({ "SecretId": it.role()["secret_ref"], "SecretString": value });
    let by_hand = if is_postgres(it.database()) { "ROLE hoop_ro PASSWORD" } else { "USER hoop_ro IDENTIFIED BY" };
    as_owner(it.database(), if engine == "postgres" { "shop" } else { "" }, &format!("ALTER {by_hand} '{ELSEWHERE}'"));
    rig.aws_of(it.database(), "secretsmanager", "put_secret_value", &params).unwrap();
    let said = it.workspace.plan().changes().stdout;
    assert!(said.contains("0 to add, 1 to change, 0 to destroy"), "the connection alone: {said}");
    it.workspace.apply_planned().ok();
    assert_eq!(it.works_as("hoop_ro"), ELSEWHERE);

    it.write("password_wo = var.password\n  password_wo_version = 1");
    it.workspace.apply().ok();
    assert_eq!(it.works_as("hoop_ro"), GIVEN);
    passwords.extend([ELSEWHERE.to_owned(), GIVEN.to_owned()]);
    it.workspace.destroy().ok();
    assert!(gateway.stored("ledger-ro").is_null());
    assert_eq!(it.workspace.leaks(&passwords.iter().map(String::as_str).collect::<Vec<_>>()), []);
}

#[test]
fn a_copy_follows_the_login_whose_turn_it_is_on_postgres() {
    follows("postgres");
}

#[test]
fn a_copy_follows_the_login_whose_turn_it_is_on_mariadb() {
    follows("mariadb");
}
