# One call of the module, a control that can read the neighbour, and a command that logs in as all of them.

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
  description = "Table that both databases have, with a row in the neighbour."
  type        = string
}

variable "ca_bundle" {
  description = "Path of the authorities that the server's certificate is checked against."
  type        = string
}

variable "ingress" {
  description = "Who may connect, this machine among them; without any the groups of the database stay as they are."
  type        = set(object({ cidr_ipv4 = string }))
  default     = []
}

variable "admin_secret_ref" {
  description = "Secret of an administrator that exists. Without it the master password is replaced."
  type        = string
  default     = null
}

module "it" {
  source     = "../../.."
  target_arn = var.target_arn
  agent_name = var.agent_name
  overrides = {
    ingress          = var.ingress
    admin_secret_ref = var.admin_secret_ref
    databases        = [var.database]
  }
}

# Servers refuse a database that is not there in the same words as one that is closed. This role is allowed in.
resource "rdsaccess_role" "control" {
  target_arn = var.target_arn
  access     = "read_only"
  name       = "boundary_control"
  databases  = [var.neighbour]
  admin      = { secret_ref = var.admin_secret_ref != null ? var.admin_secret_ref : module.it.master_secret_ref }

  # The group of the module may be what lets this machine in.
  depends_on = [module.it]
}

resource "rdsaccess_notification" "logins" {
  target_arn      = var.target_arn
  results         = concat([rdsaccess_role.control], values(module.it.roles))
  include_secrets = true
  command = [
    "python3", "tests/boundary/login.py", var.ca_bundle, var.database, var.neighbour, var.table, rdsaccess_role.control.username,
  ]
}

output "notification" {
  description = "How the logins went."
  value       = rdsaccess_notification.logins
}
