mock_provider "aws" {}

run "the_template_speaks_for_what_is_not_set" {
  command = plan
  variables {
    organizational_unit_ids = ["ou-ab12-11112222"]
    cloudformation_template = jsonencode({ Resources = {}, Parameters = {
      RoleName         = { Default = "Reader" }, RolePath = { Default = "/team/" }, MaxSessionDuration = { Default = 7200 },
      HubPrincipalArns = { Default = "arn:aws:iam::111122223333:role/terraform" }, ExternalId = { Default = "agreed" }, PermissionsBoundary = { Default = "" },
    } })
  }
  assert {
    condition = aws_cloudformation_stack_set.this[0].parameters == tomap({
      RoleName         = "Reader", RolePath = "/team/", MaxSessionDuration = "7200", ExternalId = "agreed", PermissionsBoundary = ""
      HubPrincipalArns = "arn:aws:iam::111122223333:role/terraform"
    })
    error_message = jsonencode(aws_cloudformation_stack_set.this[0].parameters)
  }
  assert {
    condition     = one(aws_cloudformation_stack_set.this[0].operation_preferences[*].failure_tolerance_percentage) == 0
    error_message = "A failure is a failure."
  }
}

run "variables_come_first" {
  command = plan
  variables {
    organizational_unit_ids = ["ou-ab12-11112222"]
    name                    = "Other"
    path                    = "/"
    max_session_duration    = 3600
    permissions_boundary    = "arn:aws:iam::aws:policy/PowerUserAccess"
    hub_principal_arns      = ["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/b"]
    cloudformation_template = jsonencode({ Resources = {}, Parameters = { RoleName = { Default = "Reader" }, HubPrincipalArns = {} } })
  }
  assert {
    condition = aws_cloudformation_stack_set.this[0].parameters == tomap({
      RoleName         = "Other", RolePath = "/", MaxSessionDuration = "3600", ExternalId = "", PermissionsBoundary = "arn:aws:iam::aws:policy/PowerUserAccess"
      HubPrincipalArns = "arn:aws:iam::111122223333:role/b,arn:aws:iam::111122223333:root"
    })
    error_message = jsonencode(aws_cloudformation_stack_set.this[0].parameters)
  }
}

run "without_a_hub_nobody_could_enter" {
  command = plan
  variables {
    organizational_unit_ids = ["ou-ab12-11112222"]
    cloudformation_template = jsonencode({ Resources = {}, Parameters = { HubPrincipalArns = {} } })
  }
  expect_failures = [aws_cloudformation_stack_set.this]
}

run "the_role_of_one_account_has_its_usual_name" {
  command = plan
  variables {
    member_policy_json = "{\"Statement\": []}"
    trust_policy_json  = "{\"Statement\": []}"
  }
  assert {
    condition     = aws_iam_role.this[0].name == "HoopOrganizationAccountAccessRole" && aws_iam_role.this[0].path == "/" && aws_iam_role.this[0].max_session_duration == 3600
    error_message = "${aws_iam_role.this[0].path}${aws_iam_role.this[0].name}"
  }
}
