data "rdsaccess_instances" "managed" {
  tags = { access = "managed" }
}

resource "rdsaccess_master_credential" "master" {
  for_each   = data.rdsaccess_instances.managed.targets
  target_arn = each.key
}

# A role that reads every database of each server, with its password in AWS Secrets Manager.
resource "rdsaccess_role" "reader" {
  for_each = data.rdsaccess_instances.managed.targets

  target_arn = each.key
  access     = "read_only"
  admin      = { secret_ref = rdsaccess_master_credential.master[each.key].secret_ref }
}

output "coverage" {
  value = { for arn, role in rdsaccess_role.reader : arn => role.coverage }
}

variable "ledger_arn" {
  type        = string
  description = "ARN of a PostgreSQL database."
}

# Single rights beside the level, an end, a bound on sessions, and two logins that take turns: the password before stays
# good for a month, so that applications can follow.
resource "rdsaccess_role" "job" {
  target_arn = var.ledger_arn
  name       = "nightly_job"
  access     = "read_only"
  databases  = ["ledger"]
  admin      = { secret_ref = rdsaccess_master_credential.master[var.ledger_arn].secret_ref }

  grants = [
    { database = "ledger", schema = "public", object_type = "table", objects = ["totals"], privileges = ["INSERT", "UPDATE"] },
    { database = "ledger", schema = "public", object_type = "function", privileges = ["EXECUTE"] },
  ]

  valid_until      = "2030-01-31T12:00:00Z"
  connection_limit = 5
  end_sessions     = "always"
  rotation         = { after = "30d", strategy = "two_users" }
}

# No password at all: the role and its administrator log in with tokens of IAM authentication.
resource "rdsaccess_role" "person" {
  target_arn = var.ledger_arn
  name       = "support"
  access     = "read_write"
  auth       = "iam"
  admin      = { auth = "iam", username = "dba" }
}

# A password that people keep elsewhere. An ephemeral value reaches neither state nor plan; of the password Terraform
# remembers only its version, and another version sets it again.
variable "reporting_password" {
  type        = string
  ephemeral   = true
  description = "Password of the role `reporting`, from a vault of the team or an ephemeral resource."
}

# Its secret has a place of its own: where the agent of the reporting team may read.
resource "rdsaccess_role" "reporting" {
  target_arn = var.ledger_arn
  name       = "reporting"
  access     = "read_only"
  admin      = { secret_ref = rdsaccess_master_credential.master[var.ledger_arn].secret_ref }

  password_wo         = var.reporting_password
  password_wo_version = 1

  store = {
    secrets_manager = { name_prefix = "reporting/", kms_key_id = "alias/reporting", tags = { team = "reporting" } }
  }
}

# The same from a secret that exists already, such as one of another team: another version of it is set after another
# `password_wo_version`.
variable "batch_secret" {
  type        = string
  description = "ARN of a secret with `username` and `password`."
}

ephemeral "rdsaccess_secret" "batch" {
  secret_ref = var.batch_secret
}

resource "rdsaccess_role" "batch" {
  target_arn = var.ledger_arn
  name       = "batch"
  access     = "read_write"
  admin      = { secret_ref = rdsaccess_master_credential.master[var.ledger_arn].secret_ref }

  password_wo         = ephemeral.rdsaccess_secret.batch.password
  password_wo_version = "2026-01"
}
