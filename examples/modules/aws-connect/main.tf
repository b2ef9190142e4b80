locals {
  # Each setting as this database has it, else as it is shared, unless this database takes it out.
  settings = {
    for name, shared in var.defaults : name =>
    var.overrides[name] != null ? var.overrides[name] : contains(var.overrides.unset, name) ? null : shared
  }
  levels = { for level, settings in merge(var.defaults.levels, var.overrides.levels) : level => settings if settings != null }

  # Without a level nothing is made: the master password of a database that nobody may use is left alone.
  is_used      = length(local.levels) > 0
  ingress      = local.settings.ingress == null ? [] : local.settings.ingress
  is_iam       = local.settings.auth == "iam"
  rotation     = local.settings.rotate_after == null && var.keepers == null ? null : { after = local.settings.rotate_after, keepers = var.keepers }
  prefix       = coalesce(local.settings.connection_prefix, provider::rdsaccess::arn_parse(var.target_arn).identifier)
  notification = local.settings.notification

  # A count must be known to the plan, and a secret that is made in the same apply is not: then the method is to be named.
  master_method = coalesce(local.settings.master_method, local.settings.admin_secret_ref == null ? "password" : "existing")
}

# Whatever the gateway would refuse at the end is asked for first: no master password is replaced for connections that cannot
# be made. Where the agent comes into being in the same apply this is read there, before anything below is changed. What is
# missing only fails a postcondition, because that does not stop a destroy.
data "rdsaccess_agents" "all" {
  count = local.is_used ? 1 : 0

  must_include = [coalesce(var.agent_name, var.agent_id)]

  lifecycle {
    postcondition {
      condition     = length(self.missing) == 0
      error_message = "The gateway has no agent ${join(", ", formatlist("`%s`", self.missing))}. Its agents: ${try(join(", ", coalescelist(keys(self.agents), ["none"])), "unknown")}."
    }
    postcondition {
      condition     = self.access_control != false || alltrue([for settings in values(local.levels) : settings.groups == null])
      error_message = "levels has groups, and the gateway's plugin access_control is not enabled: enable it, or leave groups out."
    }
  }
}

resource "rdsaccess_security_group" "this" {
  count = local.is_used && length(local.ingress) > 0 ? 1 : 0

  target_arn = var.target_arn
  ingress    = local.ingress
  timeouts   = local.settings.timeouts

  depends_on = [data.rdsaccess_agents.all]
}

resource "rdsaccess_master_credential" "this" {
  count = local.is_used && local.master_method != "existing" ? 1 : 0

  target_arn       = var.target_arn
  method           = local.master_method
  adopt_secret_ref = local.settings.adopt_secret_ref
  rotation         = local.rotation
  store            = local.master_method == "password" ? local.settings.store : null
  timeouts         = local.settings.timeouts

  # The new password is proven by a login, and the group may be what lets it in.
  depends_on = [data.rdsaccess_agents.all, rdsaccess_security_group.this]

  lifecycle {
    precondition {
      condition     = var.overrides.admin_secret_ref == null
      error_message = "overrides has admin_secret_ref, and master_method = \"${local.master_method}\" would leave it aside: set master_method = \"existing\" beside it."
    }
  }
}

resource "rdsaccess_role" "this" {
  for_each = local.levels

  target_arn        = var.target_arn
  access            = each.key
  name              = try(coalesce(local.settings.role_names[each.key]), provider::rdsaccess::role_name(coalesce(local.settings.role_prefix, "hoop"), each.key))
  databases         = local.settings.databases
  schemas           = local.settings.schemas
  owners            = each.key == "ddl" ? local.settings.owners : null
  auth              = coalesce(local.settings.auth, "password")
  rotation          = local.is_iam ? null : local.rotation
  store             = local.is_iam ? null : local.settings.store
  on_destroy        = local.settings.on_destroy
  reassign_owned_to = local.settings.reassign_owned_to
  timeouts          = local.settings.timeouts
  admin = {
    secret_ref = local.master_method == "existing" ? local.settings.admin_secret_ref : rdsaccess_master_credential.this[0].secret_ref
  }

  depends_on = [data.rdsaccess_agents.all, rdsaccess_security_group.this]

  lifecycle {
    precondition {
      condition     = local.master_method != "existing" || local.settings.admin_secret_ref != null
      error_message = "master_method = \"existing\" needs admin_secret_ref, the secret of the administrator that exists."
    }
  }
}

resource "rdsaccess_connection" "this" {
  for_each = local.levels

  name            = try(coalesce(local.settings.connection_names[each.key]), provider::rdsaccess::connection_name(each.key, local.prefix))
  target_arn      = var.target_arn
  role            = rdsaccess_role.this[each.key]
  database        = local.settings.database
  agent_name      = var.agent_name
  agent_id        = var.agent_id
  secret_delivery = coalesce(local.settings.secret_delivery, "reference")
  resource_name   = local.settings.resource_name
  tags            = local.settings.tags

  groups                    = each.value.groups
  reviewers                 = each.value.reviewers
  access_max_duration       = each.value.access_max_duration
  min_review_approvals      = each.value.min_review_approvals
  guardrail_rules           = each.value.guardrail_rules
  redact_types              = each.value.redact_types
  force_approve_groups      = each.value.force_approve_groups
  mandatory_metadata_fields = each.value.mandatory_metadata
  access_modes = {
    for mode in ["connect", "exec", "runbooks", "schema"] :
    mode => !contains(each.value.access_modes_disabled, mode)
  }
}

resource "rdsaccess_notification" "this" {
  count = local.is_used && local.notification != null ? 1 : 0

  target_arn      = var.target_arn
  results         = values(rdsaccess_role.this)
  command         = local.notification.command
  timeout         = local.notification.timeout
  include_secrets = coalesce(local.notification.include_secrets, false)
  triggers        = local.notification.triggers
  webhook = local.notification.webhook_url == null && local.notification.svix_app_id == null ? null : {
    url       = local.notification.webhook_url
    secret_wo = var.webhook_secret
    svix      = local.notification.svix_app_id == null ? null : { app_id = local.notification.svix_app_id }
  }

  # Whoever is told finds the connections there.
  depends_on = [rdsaccess_connection.this]
}
