resource "rdsaccess_role" "level" {
  for_each   = toset(["read_only", "read_write", "ddl"])
  target_arn = "arn:aws:rds:eu-central-1:123456789012:db:ledger"
  access     = each.key
}

variable "roles_webhook_key" {
  type      = string
  ephemeral = true
}

# A receiver that checks signatures of Standard Webhooks or Svix.
resource "rdsaccess_notification" "inventory" {
  target_arn = "arn:aws:rds:eu-central-1:123456789012:db:ledger"
  results    = values(rdsaccess_role.level)
  webhook = {
    url       = "https://inventory.example.com/hooks/roles"
    secret_wo = var.roles_webhook_key
  }
}

variable "svix_token" {
  type      = string
  ephemeral = true
}

# Every endpoint of the organization in Svix, as the gateway itself would tell them.
resource "rdsaccess_notification" "svix" {
  target_arn = "arn:aws:rds:eu-central-1:123456789012:db:ledger"
  results    = [rdsaccess_role.level["read_only"]]
  webhook = {
    secret_wo = var.svix_token
    svix      = { app_id = "1f0e9c1e-6a55-4d38-9d1b-3a1f3f0e7c11" }
  }
}

# A script that was written for the runbook hook of AWS Connect. The provider block allows it: allow_command = true.
resource "rdsaccess_notification" "script" {
  target_arn      = "arn:aws:rds:eu-central-1:123456789012:db:ledger"
  results         = [rdsaccess_role.level["read_only"]]
  command         = ["python3", "hoop-hooks/aws-connect-post-exec.runbook.py"]
  timeout         = "2m"
  include_secrets = true
  triggers        = { script = "v3" }

  lifecycle {
    postcondition {
      condition     = self.exit_code == 0
      error_message = "The hook failed: ${self.output}"
    }
  }
}
