locals {
  in_this_account = var.member_policy_json != null
  in_units        = length(var.organizational_unit_ids) > 0

  # The template says what the provider block says; a variable that is set comes first.
  said        = try({ for name, entry in jsondecode(var.cloudformation_template).Parameters : name => try(tostring(entry.Default), null) }, {})
  name        = coalesce(var.name, lookup(local.said, "RoleName", null), "HoopOrganizationAccountAccessRole")
  path        = coalesce(var.path, lookup(local.said, "RolePath", null), "/")
  longest     = coalesce(var.max_session_duration, lookup(local.said, "MaxSessionDuration", null), 3600)
  hub         = length(var.hub_principal_arns) > 0 ? join(",", sort(var.hub_principal_arns)) : lookup(local.said, "HubPrincipalArns", null)
  external_id = var.external_id != null ? var.external_id : lookup(local.said, "ExternalId", null)
}

resource "aws_iam_role" "this" {
  count = local.in_this_account ? 1 : 0

  name                 = local.name
  path                 = local.path
  description          = "Entered by Terraform (rdsaccess) to give access to databases"
  assume_role_policy   = var.trust_policy_json
  max_session_duration = local.longest
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  lifecycle {
    precondition {
      condition     = var.trust_policy_json != null
      error_message = "A role needs trust_policy_json: give rdsaccess_policy its hub_principal_arns."
    }
  }
}

resource "aws_iam_role_policy" "this" {
  count = local.in_this_account ? 1 : 0

  name   = "rdsaccess"
  role   = aws_iam_role.this[0].name
  policy = var.member_policy_json
}

# The management account itself is no target of a service-managed StackSet: use the role above there.
resource "aws_cloudformation_stack_set" "this" {
  count = local.in_units ? 1 : 0

  name             = var.stack_set_name
  description      = "Role that lets rdsaccess manage access to the databases of an account"
  permission_model = "SERVICE_MANAGED"
  call_as          = var.delegated_admin ? "DELEGATED_ADMIN" : "SELF"
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  template_body    = var.cloudformation_template
  tags             = var.tags

  parameters = {
    RoleName            = local.name
    RolePath            = local.path
    HubPrincipalArns    = local.hub
    ExternalId          = local.external_id == null ? "" : local.external_id
    MaxSessionDuration  = tostring(local.longest)
    PermissionsBoundary = var.permissions_boundary == null ? "" : var.permissions_boundary
  }

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  operation_preferences {
    max_concurrent_percentage    = var.max_concurrent_percentage
    failure_tolerance_percentage = var.failure_tolerance_percentage
  }

  lifecycle {
    # AWS sets it for service-managed StackSets.
    ignore_changes = [administration_role_arn]

    precondition {
      condition     = var.cloudformation_template != null
      error_message = "A StackSet needs cloudformation_template of rdsaccess_policy."
    }

    precondition {
      condition     = try(length(local.hub) > 0, false)
      error_message = "Nobody could enter the accounts: set hub_principal_arns here or in rdsaccess_policy."
    }
  }
}

resource "aws_cloudformation_stack_set_instance" "this" {
  for_each = local.in_units ? var.organizational_unit_ids : []

  stack_set_name = aws_cloudformation_stack_set.this[0].name
  call_as        = var.delegated_admin ? "DELEGATED_ADMIN" : "SELF"
  region         = var.stack_set_region

  deployment_targets {
    organizational_unit_ids = [each.value]
  }

  operation_preferences {
    max_concurrent_percentage    = var.max_concurrent_percentage
    failure_tolerance_percentage = var.failure_tolerance_percentage
  }
}
