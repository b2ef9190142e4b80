variable "name" {
  description = "Name of the role, without its path; otherwise that of the template, which is member_role.name of the provider block, or HoopOrganizationAccountAccessRole."
  type        = string
  default     = null

  validation {
    condition     = var.name == null || can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "A role has a name of 1 to 64 letters, digits and +=,.@_- characters."
  }
}

variable "path" {
  description = "Path of the role; with one, member_role.name is the path without its first slash and the name. Otherwise that of the template, or /."
  type        = string
  default     = null

  validation {
    condition     = var.path == null || can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.path))
    error_message = "A path begins and ends with a slash."
  }
}

variable "member_policy_json" {
  description = "member_policy_json of rdsaccess_policy, for the role in this account."
  type        = string
  default     = null

  validation {
    condition     = var.member_policy_json == null || can(jsondecode(var.member_policy_json).Statement)
    error_message = "A policy document in JSON is expected."
  }
}

variable "trust_policy_json" {
  description = "trust_policy_json of rdsaccess_policy, for the role in this account."
  type        = string
  default     = null

  validation {
    condition     = var.trust_policy_json == null || can(jsondecode(var.trust_policy_json).Statement)
    error_message = "A policy document in JSON is expected."
  }
}

variable "max_session_duration" {
  description = "Longest session in seconds; at least member_role.duration of the provider block. Otherwise that of the template, or 3600."
  type        = number
  default     = null

  validation {
    condition     = var.max_session_duration == null || try(var.max_session_duration >= 3600 && var.max_session_duration <= 43200, false)
    error_message = "IAM takes 3600 to 43200 seconds."
  }
}

variable "permissions_boundary" {
  description = "ARN of a permissions boundary of the role, where the organization asks for one. A StackSet has one text for all accounts, so it must name a policy of AWS (arn:aws:iam::aws:policy/…)."
  type        = string
  default     = null
}

variable "cloudformation_template" {
  description = "cloudformation_template of rdsaccess_policy, for the role in the accounts of organizational_unit_ids."
  type        = string
  default     = null

  validation {
    condition     = var.cloudformation_template == null || can(jsondecode(var.cloudformation_template).Resources)
    error_message = "A CloudFormation template in JSON is expected."
  }
}

variable "hub_principal_arns" {
  description = "Who may take the role in the accounts of organizational_unit_ids; otherwise whom the template names."
  type        = set(string)
  default     = []
}

variable "external_id" {
  description = "External id that the role in the accounts of organizational_unit_ids asks for; otherwise that of the template, empty for none."
  type        = string
  default     = null
}

variable "organizational_unit_ids" {
  description = "Organizational units whose accounts get the role from a StackSet, also those that join later."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.organizational_unit_ids : can(regex("^(ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}|r-[0-9a-z]{4,32})$", id))])
    error_message = "An organizational unit is named by its id (ou-…), the root by r-…."
  }
}

variable "delegated_admin" {
  description = "Whether the StackSet is made in a delegated administrator's account rather than in the management account."
  type        = bool
  default     = false
}

variable "stack_set_name" {
  description = "Name of the StackSet."
  type        = string
  default     = "rdsaccess-member-role"
}

variable "stack_set_region" {
  description = "Region of the stacks; a role is global, so one is enough."
  type        = string
  default     = "us-east-1"
}

variable "max_concurrent_percentage" {
  description = "How many accounts get the role at the same time, in percent."
  type        = number
  default     = 25

  validation {
    condition     = var.max_concurrent_percentage >= 1 && var.max_concurrent_percentage <= 100
    error_message = "A percentage from 1 to 100 is expected."
  }
}

variable "failure_tolerance_percentage" {
  description = "In how many accounts of a unit the role may fail before the operation stops and the apply fails, in percent."
  type        = number
  default     = 0

  validation {
    condition     = var.failure_tolerance_percentage >= 0 && var.failure_tolerance_percentage <= 100
    error_message = "A percentage from 0 to 100 is expected."
  }
}

variable "tags" {
  description = "Tags of the role and of the StackSet."
  type        = map(string)
  default     = {}
}
