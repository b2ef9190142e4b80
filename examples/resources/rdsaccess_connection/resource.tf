# One connection for a login whose password is in Secrets Manager. `role` takes any object with these attributes.
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
  reviewers    = ["dba"]
  groups       = ["payments", "sre"]
  redact_types = ["EMAIL_ADDRESS", "PHONE_NUMBER"]

  access_max_duration = "4h"

  tags = {
    team = "payments"
    host = provider::rdsaccess::tag_value("payments.example.com")
  }
}
