# One call whose administrator and sources come into being in the same apply.

terraform {
  required_providers {
    rdsaccess = {
      source = "rdsaccess/rdsaccess"
    }
  }
}

resource "terraform_data" "secret" {
  input = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:admin-AbCdEf"
}

resource "terraform_data" "gateway" {
  count = 2
  input = "sg-0123456789abcdef${count.index}"
}

module "it" {
  source     = "../.."
  target_arn = "arn:aws:rds:eu-central-1:111122223333:db:ledger"
  agent_name = "lab"
  defaults = {
    ingress = [for gateway in terraform_data.gateway : { security_group_id = gateway.output }]
  }
  overrides = {
    master_method    = "existing"
    admin_secret_ref = terraform_data.secret.output
  }
}

output "it" {
  description = "What the module gives."
  value       = module.it
}
