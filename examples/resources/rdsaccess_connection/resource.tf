# One connection for a login whose password is in Secrets Manager, in the account and region that the agent runs in. `role`
# takes any object with these attributes.
resource "rdsaccess_connection" "payments_ro" {
  name       = provider::rdsaccess::connection_name("read_only", "payments", "main")
  target_arn = "arn:aws:rds:eu-central-1:111122223333:cluster:payments-main"
  agent_name = "prod-eu"

  role = {
    username         = "hoop_ro"
    engine           = "postgres"
    endpoint         = "payments-main.cluster-c1a2b3d4e5f6.eu-central-1.rds.amazonaws.com"
    port             = 5432
    default_database = "payments"
    access           = "read_only"
    secret_ref       = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:payments/hoop_ro-AbCdEf"
  }

  access_modes = { runbooks = false }
  groups       = ["payments", "sre"]
  redact_types = ["EMAIL_ADDRESS", "PHONE_NUMBER"]

  # Time-boxed: each access is approved by somebody of `dba`, or of `sre` alone, and ends after 15 minutes.
  reviewers            = ["dba"]
  min_review_approvals = 1
  force_approve_groups = ["sre"]
  access_max_duration  = "15m"

  tags = {
    team = "payments"
    host = provider::rdsaccess::tag_value("payments.example.com")
  }
}

# A role of this provider as it is. Its password is copied into the gateway, for an agent that may not read the secret or
# runs in another account or region, and again whenever the role gets another one.
resource "rdsaccess_master_credential" "ledger" {
  target_arn = "arn:aws:rds:eu-central-1:111122223333:db:ledger"
}

resource "rdsaccess_role" "ledger_ro" {
  target_arn = rdsaccess_master_credential.ledger.target_arn
  access     = "read_only"
  admin      = { secret_ref = rdsaccess_master_credential.ledger.secret_ref }
}

resource "rdsaccess_connection" "ledger_ro" {
  name            = provider::rdsaccess::connection_name("read_only", "ledger")
  target_arn      = rdsaccess_role.ledger_ro.target_arn
  role            = rdsaccess_role.ledger_ro
  agent_name      = "prod-eu"
  secret_delivery = "copy"
}
