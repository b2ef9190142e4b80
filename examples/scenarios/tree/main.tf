# The mirror of the organization's tree: a folder per organizational unit, a handle per account, and connections that say
# where their database stands.

terraform {
  required_providers {
    rdsaccess = {
      source = "rdsaccess/rdsaccess"
    }
  }
}

provider "rdsaccess" {
  region = "us-east-1"

  # A connection names its secret without account and region, and the agent looks for that name where it runs.
  store = {
    secrets_manager = {
      account_id = var.agent_account_id
      region     = var.agent_region
    }
  }
}

variable "agent_name" {
  type        = string
  default     = "default"
  description = "The gateway's agent that reaches the databases."
}

variable "agent_account_id" {
  type        = string
  description = "AWS account that the agent runs in. All secrets lie there."
}

variable "agent_region" {
  type        = string
  description = "AWS region that the agent runs in."
}

data "rdsaccess_accounts" "all" {
  handle_prefix = "aws-"
}

data "rdsaccess_instances" "managed" {
  account_ids = data.rdsaccess_accounts.all.ids
  tags        = { access = "managed" }
}

locals {
  accounts = data.rdsaccess_accounts.all.accounts
  targets  = data.rdsaccess_instances.managed.targets

  # Root/Workloads/Prod => the folder above, and the handles of the accounts that the unit holds itself.
  folders = {
    for path, unit in data.rdsaccess_accounts.all.units : path => {
      parent   = unit.parent_path
      accounts = [for id in unit.account_ids : local.accounts[id].handle]
    }
  }

  # 123456789012 => Root/Workloads/Prod/aws-payments-1kpqzg2c
  names = { for id, account in local.accounts : id => "${account.ou_path}/${account.handle}" }
}

resource "rdsaccess_master_credential" "master" {
  for_each   = local.targets
  target_arn = each.key
}

resource "rdsaccess_role" "read" {
  for_each   = local.targets
  target_arn = each.key
  access     = "read_only"
  admin      = { secret_ref = rdsaccess_master_credential.master[each.key].secret_ref }
}

# Another name is another connection, so it is made of what never changes: no handle, which follows the account's name, and
# no path. These are a tag, which is changed in place. The kind is in it because a cluster and an instance of one region may
# have the same identifier.
resource "rdsaccess_connection" "read" {
  for_each   = local.targets
  name       = provider::rdsaccess::connection_name("read_only", each.value.account_id, each.value.region, each.value.kind, each.value.identifier)
  target_arn = each.key
  role       = rdsaccess_role.read[each.key]
  agent_name = var.agent_name
  tags       = { folder = provider::rdsaccess::tag_value(local.names[each.value.account_id]) }
}

output "folders" {
  value = local.folders
}

output "names" {
  value = local.names
}
