# One call of the module whose last step logs in as every role.

terraform {
  required_providers {
    rdsaccess = {
      source = "rdsaccess/rdsaccess"
    }
  }
}

variable "target_arn" {
  description = "ARN of a database for tests."
  type        = string
}

variable "agent_name" {
  description = "Name of the gateway's agent."
  type        = string
}

variable "database" {
  description = "Database that the roles cover."
  type        = string
}

variable "neighbour" {
  description = "Database on the same server that they must not read."
  type        = string
}

variable "table" {
  description = "Table that both databases have."
  type        = string
}

variable "ca_bundle" {
  description = "Path of the authorities that the server's certificate is checked against."
  type        = string
}

module "it" {
  source     = "../../.."
  target_arn = var.target_arn
  agent_name = var.agent_name
  overrides = {
    databases = [var.database]
    notification = {
      command         = ["python3", "tests/boundary/login.py", var.ca_bundle, var.database, var.neighbour, var.table]
      include_secrets = true
    }
  }
}

output "notification" {
  description = "How the logins went."
  value       = module.it.notification
}
