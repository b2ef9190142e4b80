# A large organization in several states, so that no plan has to read all of it and no state has to hold all of it. Each
# state is a Terraform workspace, `shard-0` to `shard-15`, that looks after its part of the accounts.

terraform {
  required_version = ">= 1.11"

  required_providers {
    rdsaccess = {
      source = "rdsaccess/rdsaccess"
    }
  }

  # Every workspace has a state of its own below this key.
  backend "s3" {
    bucket       = "example-terraform-states"
    key          = "rdsaccess.tfstate"
    region       = "eu-central-1"
    use_lockfile = true
  }
}

provider "rdsaccess" {
  region = "eu-central-1"

  member_role = {
    name = var.member_role
  }

  # Plans and applies of several parts run at the same time and share the rates of AWS.
  max_concurrency = 32
}

# Ephemeral, so that a plan does not hold it: the role that plans may only read, the one that applies may write.
variable "member_role" {
  type        = string
  default     = "HoopOrganizationAccountAccessRole"
  ephemeral   = true
  description = "Name of the role in the other accounts."
}

locals {
  # Chosen once. Another number would move nearly every account to another state, which would destroy what it holds here
  # and create it again there. Parts are cheap: a job runs as many as it likes.
  shards = 16

  # The workspace names the part, so that a state never sees the accounts of another one. Each part has one name only:
  # `3` or `shard-03` beside `shard-3` would be two states with the same accounts.
  index = try(tonumber(regex("^shard-(0|[1-9][0-9]*)$", terraform.workspace)[0]), null)

  levels = toset(["read_only", "read_write"])
}

data "rdsaccess_accounts" "part" {
  organizational_units = ["Root/Workloads"]
  shard                = { count = local.shards, indexes = [coalesce(local.index, 0)] }

  lifecycle {
    precondition {
      condition     = local.index != null
      error_message = "Select a workspace from shard-0 to shard-${local.shards - 1}: `./each-shard create 0`, `terraform workspace select shard-0`."
    }
  }
}

data "rdsaccess_instances" "part" {
  account_ids = data.rdsaccess_accounts.part.ids
  regions     = ["eu-central-1", "us-east-1"]
  tags        = { access = "managed" }
}

locals {
  accounts = data.rdsaccess_accounts.part.accounts

  # Keyed by ARN and level: neither a new name of an account nor another place in the tree makes anything anew.
  roles = {
    for pair in setproduct(keys(data.rdsaccess_instances.part.targets), local.levels) :
    "${pair[0]}/${pair[1]}" => { target = data.rdsaccess_instances.part.targets[pair[0]], arn = pair[0], access = pair[1] }
  }
}

resource "rdsaccess_master_credential" "master" {
  for_each   = data.rdsaccess_instances.part.targets
  target_arn = each.key
}

resource "rdsaccess_role" "role" {
  for_each   = local.roles
  target_arn = each.value.arn
  access     = each.value.access
  admin      = { secret_ref = rdsaccess_master_credential.master[each.value.arn].secret_ref }
}

output "accounts" {
  description = "The accounts of this part."
  value       = { for id, account in local.accounts : id => account.handle }
}

output "roles" {
  description = "The roles by account, region, database and level."
  value = {
    for key, role in local.roles :
    "${local.accounts[role.target.account_id].handle}/${role.target.region}/${role.target.identifier}/${role.access}" => rdsaccess_role.role[key].secret_ref
  }
}
