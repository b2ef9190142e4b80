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
