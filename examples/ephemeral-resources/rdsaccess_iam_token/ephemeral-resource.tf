data "rdsaccess_instances" "ledger" {
  identifiers = ["ledger"]
}

locals {
  ledger = one(values(data.rdsaccess_instances.ledger.targets))
}

ephemeral "rdsaccess_iam_token" "ledger" {
  host     = local.ledger.endpoint
  port     = local.ledger.port
  username = "hoop_ro"
}

# The token goes where Terraform keeps nothing: into the block of another provider, or a write-only argument.
#
# provider "postgresql" {
#   host     = local.ledger.endpoint
#   port     = local.ledger.port
#   username = "hoop_ro"
#   password = ephemeral.rdsaccess_iam_token.ledger.token
#   sslmode  = "verify-full"
# }
