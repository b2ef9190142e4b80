# From an AWS Organization to working connections: every database of the workload accounts that carries the tag
# `access = managed` gets a security group, a controlled master credential, three roles and a connection per role.

terraform {
  required_providers {
    rdsaccess = {
      source = "rdsaccess/rdsaccess"
    }
  }
}

provider "rdsaccess" {
  region = "us-east-1"

  # The other accounts are entered through a role of this name.
  member_role = {
    name = "HoopOrganizationAccountAccessRole"
  }

  # The token comes from HOOP_APIKEY.
  gateway = {
    url = var.gateway_url
  }
}

variable "gateway_url" {
  type        = string
  description = "Address of the access gateway."
}

variable "agent_name" {
  type        = string
  description = "The gateway's agent that reaches the databases."
}

data "rdsaccess_accounts" "workloads" {
  organizational_units = ["Root/Workloads"]
}

data "rdsaccess_instances" "managed" {
  account_ids = data.rdsaccess_accounts.workloads.ids
  regions     = ["us-east-1", "eu-west-1"]
  tags        = { access = "managed" }
}

locals {
  targets = data.rdsaccess_instances.managed.targets

  # One entry per database and level, keyed by ARN: other accounts and regions may have databases of the same name.
  roles = {
    for pair in setproduct(keys(local.targets), ["read_only", "read_write", "ddl"]) :
    "${pair[0]}/${pair[1]}" => { arn = pair[0], access = pair[1] }
  }
}

resource "rdsaccess_security_group" "agent" {
  for_each   = local.targets
  target_arn = each.key
  ingress    = [{ cidr_ipv4 = "10.20.0.0/16", description = "access gateway" }]
}

resource "rdsaccess_master_credential" "master" {
  for_each   = local.targets
  target_arn = each.key
}

resource "rdsaccess_role" "role" {
  for_each   = local.roles
  target_arn = each.value.arn
  access     = each.value.access
  admin      = { secret_ref = rdsaccess_master_credential.master[each.value.arn].secret_ref }
}

# A gateway has one list of names. Account, region, kind and identifier make a database's name the only one, and none of
# them changes: 123456789012-us-east-1-instance-ledger-ro.
resource "rdsaccess_connection" "connection" {
  for_each = local.roles
  name = provider::rdsaccess::connection_name(
    each.value.access,
    local.targets[each.value.arn].account_id,
    local.targets[each.value.arn].region,
    local.targets[each.value.arn].kind,
    local.targets[each.value.arn].identifier,
  )
  target_arn = each.value.arn
  role       = rdsaccess_role.role[each.key]
  agent_name = var.agent_name
}

output "roles" {
  value = {
    for key, role in rdsaccess_role.role : key => {
      arn        = role.target_arn
      access     = role.access
      username   = role.username
      endpoint   = role.endpoint
      port       = role.port
      engine     = role.engine
      secret_ref = role.secret_ref
      connection = rdsaccess_connection.connection[key].name
    }
  }
}
