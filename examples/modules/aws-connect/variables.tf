variable "target_arn" {
  description = "ARN of the database: a standalone instance, or the cluster of a writer."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:(db|cluster):[A-Za-z][A-Za-z0-9-]*$", var.target_arn))
    error_message = "The ARN of an RDS instance (…:db:…) or cluster (…:cluster:…) is expected."
  }
}

variable "agent_name" {
  description = "Name of the gateway's agent that reaches the database."
  type        = string
  default     = null

  validation {
    condition     = length(compact([var.agent_name, var.agent_id])) == 1
    error_message = "Exactly one of agent_name and agent_id is needed: the data source rdsaccess_agents lists the agents."
  }
}

variable "agent_id" {
  description = "Id of the agent, instead of its name."
  type        = string
  default     = null
}

variable "defaults" {
  description = "Settings that many databases share. What is left out has the default of the README."
  type = object({
    ingress = optional(set(object({
      cidr_ipv4         = optional(string)
      cidr_ipv6         = optional(string)
      security_group_id = optional(string)
      prefix_list_id    = optional(string)
      description       = optional(string)
    })))
    master_method    = optional(string)
    admin_secret_ref = optional(string)
    adopt_secret_ref = optional(string)
    rotate_after     = optional(string)
    store = optional(object({
      secrets_manager = optional(object({
        account_id           = optional(string)
        region               = optional(string)
        name_prefix          = optional(string)
        kms_key_id           = optional(string)
        recovery_window_days = optional(number)
        replica_regions      = optional(set(string))
        tags                 = optional(map(string))
      }))
      vault = optional(object({
        mount       = optional(string)
        kv_version  = optional(number)
        path_prefix = optional(string)
      }))
    }))
    role_prefix       = optional(string)
    role_names        = optional(map(string))
    connection_names  = optional(map(string))
    databases         = optional(set(string))
    schemas           = optional(set(string))
    owners            = optional(set(string))
    auth              = optional(string)
    on_destroy        = optional(string)
    reassign_owned_to = optional(string)
    connection_prefix = optional(string)
    resource_name     = optional(string)
    database          = optional(string)
    secret_delivery   = optional(string)
    tags              = optional(map(string))
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
    })), { read_only = {}, read_write = {}, ddl = {} })
    notification = optional(object({
      webhook_url     = optional(string)
      svix_app_id     = optional(string)
      command         = optional(list(string))
      timeout         = optional(string)
      include_secrets = optional(bool)
      triggers        = optional(map(string))
    }))
    timeouts = optional(object({
      create = optional(string)
      read   = optional(string)
      update = optional(string)
      delete = optional(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for level in keys(coalesce(var.defaults.levels, {})) : contains(["read_only", "read_write", "ddl"], level)])
    error_message = "The levels are read_only, read_write and ddl."
  }

  validation {
    condition = alltrue(flatten([
      for settings in values(coalesce(var.defaults.levels, {})) : [
        for mode in settings.access_modes_disabled : contains(["connect", "exec", "runbooks", "schema"], mode)
      ] if settings != null
    ]))
    error_message = "access_modes_disabled holds connect, exec, runbooks and schema: another word would leave every mode on."
  }

  validation {
    condition     = contains(["password", "rds_managed", "existing"], coalesce(var.defaults.master_method, "password"))
    error_message = "master_method is password, rds_managed or existing."
  }

  validation {
    condition     = var.defaults.admin_secret_ref == null || coalesce(var.defaults.master_method, "existing") == "existing"
    error_message = "defaults has admin_secret_ref, and this master_method would leave it aside."
  }

  validation {
    condition     = contains(["password", "iam"], coalesce(var.defaults.auth, "password"))
    error_message = "auth is password or iam."
  }
}

variable "overrides" {
  description = "Settings of this database: each wins over the one in defaults. A level wins as a whole, and null takes it away."
  type = object({
    ingress = optional(set(object({
      cidr_ipv4         = optional(string)
      cidr_ipv6         = optional(string)
      security_group_id = optional(string)
      prefix_list_id    = optional(string)
      description       = optional(string)
    })))
    master_method    = optional(string)
    admin_secret_ref = optional(string)
    adopt_secret_ref = optional(string)
    rotate_after     = optional(string)
    store = optional(object({
      secrets_manager = optional(object({
        account_id           = optional(string)
        region               = optional(string)
        name_prefix          = optional(string)
        kms_key_id           = optional(string)
        recovery_window_days = optional(number)
        replica_regions      = optional(set(string))
        tags                 = optional(map(string))
      }))
      vault = optional(object({
        mount       = optional(string)
        kv_version  = optional(number)
        path_prefix = optional(string)
      }))
    }))
    role_prefix       = optional(string)
    role_names        = optional(map(string))
    connection_names  = optional(map(string))
    databases         = optional(set(string))
    schemas           = optional(set(string))
    owners            = optional(set(string))
    auth              = optional(string)
    on_destroy        = optional(string)
    reassign_owned_to = optional(string)
    connection_prefix = optional(string)
    resource_name     = optional(string)
    database          = optional(string)
    secret_delivery   = optional(string)
    tags              = optional(map(string))
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
    notification = optional(object({
      webhook_url     = optional(string)
      svix_app_id     = optional(string)
      command         = optional(list(string))
      timeout         = optional(string)
      include_secrets = optional(bool)
      triggers        = optional(map(string))
    }))
    timeouts = optional(object({
      create = optional(string)
      read   = optional(string)
      update = optional(string)
      delete = optional(string)
    }))
    unset = optional(set(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for level in keys(coalesce(var.overrides.levels, {})) : contains(["read_only", "read_write", "ddl"], level)])
    error_message = "The levels are read_only, read_write and ddl."
  }

  validation {
    condition = alltrue(flatten([
      for settings in values(coalesce(var.overrides.levels, {})) : [
        for mode in settings.access_modes_disabled : contains(["connect", "exec", "runbooks", "schema"], mode)
      ] if settings != null
    ]))
    error_message = "access_modes_disabled holds connect, exec, runbooks and schema: another word would leave every mode on."
  }

  validation {
    condition     = contains(["password", "rds_managed", "existing"], coalesce(var.overrides.master_method, "password"))
    error_message = "master_method is password, rds_managed or existing."
  }

  validation {
    condition     = contains(["password", "iam"], coalesce(var.overrides.auth, "password"))
    error_message = "auth is password or iam."
  }

  validation {
    condition     = alltrue([for name in var.overrides.unset : contains(setsubtract(keys(var.defaults), ["levels"]), name)])
    error_message = "unset holds names of settings in defaults. A level is taken away with null."
  }
}

variable "keepers" {
  description = "Any texts; when one of them changes, every password of this database is replaced."
  type        = map(string)
  default     = null
}

variable "webhook_secret" {
  description = "Key that signs the event (whsec_…), or with svix_app_id a token of Svix. It is kept nowhere: a plan that sends an event needs it, and its apply again; every other plan, and a destroy, does without."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
}
