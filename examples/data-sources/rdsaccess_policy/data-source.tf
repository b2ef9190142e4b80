# What the hub and the role in every account of the organization need, for roles with passwords.
data "rdsaccess_policy" "organization" {
  features           = ["discovery", "security_group", "master_password", "role_password"]
  hub_principal_arns = ["arn:aws:iam::111122223333:role/terraform"]
}

resource "aws_iam_role_policy" "hub" {
  name   = "rdsaccess"
  role   = "terraform"
  policy = data.rdsaccess_policy.organization.hub_policy_json
}

# The role in every account of a unit, also in those that join later.
resource "aws_cloudformation_stack_set" "member" {
  name             = "rdsaccess"
  permission_model = "SERVICE_MANAGED"
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  template_body    = data.rdsaccess_policy.organization.cloudformation_template

  auto_deployment {
    enabled = true
  }
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
