variable "gateway_url" {
  type        = string
  description = "Address of the access gateway."
}

variable "agent_name" {
  type        = string
  description = "The gateway's agent that reaches the databases."
}

variable "agent_account_id" {
  type        = string
  description = "AWS account that the agent runs in. All secrets lie there: the provider enters it as it enters the others."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.agent_account_id))
    error_message = "An account has 12 digits."
  }
}

variable "agent_region" {
  type        = string
  description = "AWS region that the agent runs in, and so that of the secrets."
}

variable "organizational_units" {
  type        = set(string)
  description = "Units whose accounts are looked into, with those below."
  default     = ["Root/Workloads"]
}

variable "regions" {
  type        = set(string)
  description = "Regions that are looked into; [\"*\"] for all that are on in each account."
  default     = ["us-east-1", "eu-west-1"]
}

# Terraform drops a setting that an object type does not name without a word. So a level here has every setting that a level of
# the module has: what you take out of the type cannot be set any more.
variable "permissions" {
  description = "Path of a unit -> who may do what on its databases. A unit inherits from those above it; what it says itself wins. A path that the organization does not have fails the plan."
  type = map(object({
    ingress = optional(set(object({
      cidr_ipv4         = optional(string)
      cidr_ipv6         = optional(string)
      security_group_id = optional(string)
      prefix_list_id    = optional(string)
      description       = optional(string)
    })))
    rotate_after = optional(string)
    levels = optional(map(object({
      groups                = optional(set(string))
      reviewers             = optional(set(string))
      access_max_duration   = optional(string)
      min_review_approvals  = optional(number)
      guardrail_rules       = optional(set(string))
      redact_types          = optional(set(string))
      force_approve_groups  = optional(set(string))
      mandatory_metadata    = optional(set(string))
      access_modes_disabled = optional(set(string), [])
    })))
  }))
  default = {
    "Root/Workloads" = {
      ingress      = [{ cidr_ipv4 = "10.20.0.0/16", description = "access gateway" }]
      rotate_after = "90d"
      levels = {
        read_only  = { groups = ["developers"] }
        read_write = { groups = ["sre"] }
        ddl        = { groups = ["dba"] }
      }
    }
    # Sessions that write to production are reviewed and end.
    "Root/Workloads/Prod" = {
      rotate_after = "30d"
      levels = {
        read_write = { groups = ["sre"], reviewers = ["sre-leads"], access_max_duration = "1h" }
        ddl        = { groups = ["dba"], reviewers = ["dba-leads"], min_review_approvals = 2, access_max_duration = "15m" }
      }
    }
    # Nobody changes schemas by hand there.
    "Root/Workloads/Prod/EU" = {
      levels = { ddl = null }
    }
  }
}

variable "overrides" {
  description = "ARN of a database -> `overrides` of the module for it alone, whose type says what may stand there. An ARN that is none of the managed databases fails the plan."
  type        = any
  default     = {}
}
