# From an AWS Organization to working connections: every database below the units of `permissions` that carries the tag
# `access = managed` gets what the module aws-connect makes, with the permissions of its unit.

terraform {
  required_version = ">= 1.11"

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

  # One agent serves all accounts. A connection names its secret without account and region, and the agent looks for that
  # name where it runs: so all secrets lie there.
  store = {
    secrets_manager = {
      account_id = var.agent_account_id
      region     = var.agent_region
    }
  }

  # The token comes from HOOP_APIKEY.
  gateway = {
    url = var.gateway_url
  }
}

data "rdsaccess_accounts" "workloads" {
  organizational_units = var.organizational_units

  # A unit that is misspelt or has another name now would give its databases what they inherit, without a word.
  lifecycle {
    postcondition {
      condition     = length(setsubtract(keys(var.permissions), keys(self.units))) == 0
      error_message = "permissions names units that the organization does not have: ${join(", ", setsubtract(keys(var.permissions), keys(self.units)))}. Each key is the path of a unit as it is now, one of: ${join(", ", keys(self.units))}."
    }
  }
}

data "rdsaccess_instances" "managed" {
  account_ids = data.rdsaccess_accounts.workloads.ids
  regions     = var.regions
  tags        = { access = "managed" }

  lifecycle {
    postcondition {
      condition     = length(setsubtract(keys(var.overrides), keys(self.targets))) == 0
      error_message = "overrides names databases that are not among the managed ones of these units: ${join(", ", setsubtract(keys(var.overrides), keys(self.targets)))}. Mend the ARN, or take out a database that is gone."
    }
  }
}

locals {
  accounts = data.rdsaccess_accounts.workloads.accounts

  # Root/Workloads/Prod => Root, Root/Workloads, Root/Workloads/Prod: from the top down, as paths are sorted.
  chains = {
    for path in toset([for account in local.accounts : account.ou_path]) : path => [
      for unit in keys(data.rdsaccess_accounts.workloads.units) : unit if unit == path || startswith(path, "${unit}/")
    ]
  }

  # What a unit says itself comes after what it inherits: each level wins as a whole, and null takes it away.
  permissions = {
    for path, chain in local.chains : path => {
      levels       = merge([for unit in chain : try(var.permissions[unit].levels, null)]...)
      ingress      = try([for unit in reverse(chain) : var.permissions[unit].ingress if try(var.permissions[unit].ingress, null) != null][0], null)
      rotate_after = try([for unit in reverse(chain) : var.permissions[unit].rotate_after if try(var.permissions[unit].rotate_after, null) != null][0], null)
    }
  }

  # A database of a unit for which nobody may do anything is left alone.
  targets = {
    for arn, target in data.rdsaccess_instances.managed.targets : arn => merge(target, {
      ou_path = local.accounts[target.account_id].ou_path
      # The only database of that name, and nothing in it can be renamed.
      name = "${target.account_id}-${target.region}-${target.kind}-${target.identifier}"
    }) if anytrue([for settings in values(local.permissions[local.accounts[target.account_id].ou_path].levels) : settings != null])
  }
}

module "database" {
  source   = "../modules/aws-connect"
  for_each = local.targets

  target_arn = each.key
  agent_name = var.agent_name
  defaults   = merge(local.permissions[each.value.ou_path], { connection_prefix = each.value.name })
  overrides  = try(var.overrides[each.key], {})

  # When the agent moves, every password is replaced, because a secret moves with the next password only.
  keepers = { agent = "${var.agent_account_id}/${var.agent_region}" }
}

# What the agent may read: the secrets of the roles, and not those of the master users beside them.
data "rdsaccess_policy" "agent" {
  features             = ["secret_read"]
  agent_principal_arns = ["arn:aws:iam::${var.agent_account_id}:root"]
}

output "agent_policy_json" {
  description = "Policy for the role that the agent runs as, in its own account."
  value       = data.rdsaccess_policy.agent.agent_policy_json
}

output "roles" {
  description = "ARN of a database -> level -> login, the reference to its secret, and its connection."
  value       = { for arn, database in module.database : arn => database.roles }
}
