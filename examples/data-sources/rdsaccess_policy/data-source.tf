# What the hub and the role in every account of the organization need, for roles with passwords.
data "rdsaccess_policy" "organization" {
  features           = ["discovery", "security_group", "master_password", "role_password"]
  hub_principal_arns = ["arn:aws:iam::111122223333:role/terraform"]
}

output "hub_policy" {
  value = data.rdsaccess_policy.organization.hub_policy_json
}

# The role in every account, for a StackSet of the organization.
output "template" {
  value = data.rdsaccess_policy.organization.cloudformation_template
}

# What the gateway's agent needs for the databases of one account.
data "rdsaccess_policy" "agent" {
  target_arns          = ["arn:aws:rds:eu-central-1:444455556666:db:orders"]
  features             = ["role_password"]
  role_names           = ["hoop_ro", "hoop_rw"]
  agent_principal_arns = ["arn:aws:iam::444455556666:role/agent"]
}

output "agent_policy" {
  value = data.rdsaccess_policy.agent.agent_policy_json
}

# Documents that name their databases, where all of them in one would be longer than IAM takes: the hub by pattern, as
# above, and the role of each account for its own databases.
locals {
  databases = {
    "444455556666" = ["arn:aws:rds:eu-central-1:444455556666:db:orders"]
    "555566667777" = ["arn:aws:rds:eu-central-1:555566667777:db:stock", "arn:aws:rds:eu-west-1:555566667777:cluster:main"]
  }
}

data "rdsaccess_policy" "account" {
  for_each           = local.databases
  target_arns        = each.value
  features           = ["security_group", "master_password", "role_password"]
  hub_principal_arns = ["arn:aws:iam::111122223333:role/terraform"]
}

output "member_policies" {
  value = { for account, policy in data.rdsaccess_policy.account : account => policy.member_policy_json }
}
