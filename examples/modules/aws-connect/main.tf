locals {
  identifier = provider::rdsaccess::arn_parse(var.target_arn).identifier

  # The first that is not null: this database, then what is shared, then the default.
  ingress           = var.overrides.ingress != null ? var.overrides.ingress : var.defaults.ingress != null ? var.defaults.ingress : []
  admin_secret_ref  = var.overrides.admin_secret_ref != null ? var.overrides.admin_secret_ref : var.defaults.admin_secret_ref
  master_method     = coalesce(var.overrides.master_method, var.defaults.master_method, "password")
  rotate_after      = var.overrides.rotate_after != null ? var.overrides.rotate_after : var.defaults.rotate_after
  role_prefix       = coalesce(var.overrides.role_prefix, var.defaults.role_prefix, "hoop")
  databases         = var.overrides.databases != null ? var.overrides.databases : var.defaults.databases
  auth              = coalesce(var.overrides.auth, var.defaults.auth, "password")
  connection_prefix = coalesce(var.overrides.connection_prefix, var.defaults.connection_prefix, local.identifier)
  secret_delivery   = coalesce(var.overrides.secret_delivery, var.defaults.secret_delivery, "reference")
  tags              = var.overrides.tags != null ? var.overrides.tags : var.defaults.tags
  notification      = var.overrides.notification != null ? var.overrides.notification : var.defaults.notification

  # Without a word about levels it is all three, as they come.
  inherited = var.defaults.levels != null ? var.defaults.levels : {
    for level in ["read_only", "read_write", "ddl"] : level => {
      groups                = null
      reviewers             = null
      access_max_duration   = null
      min_review_approvals  = null
      guardrail_rules       = null
      redact_types          = null
      force_approve_groups  = null
      mandatory_metadata    = null
      access_modes_disabled = []
    }
  }
  levels = { for level, settings in merge(local.inherited, var.overrides.levels) : level => settings if settings != null }

  # Names of their own, by level: what somebody made under other names can be imported.
  role_names       = var.overrides.role_names != null ? var.overrides.role_names : var.defaults.role_names
  connection_names = var.overrides.connection_names != null ? var.overrides.connection_names : var.defaults.connection_names

  rotation = local.rotate_after == null && var.keepers == null ? null : { after = local.rotate_after, keepers = var.keepers }
}

resource "rdsaccess_security_group" "this" {
  count = length(local.ingress) > 0 ? 1 : 0

  target_arn = var.target_arn
  ingress    = local.ingress
}

resource "rdsaccess_master_credential" "this" {
  count = local.admin_secret_ref == null ? 1 : 0

  target_arn = var.target_arn
  method     = local.master_method
  rotation   = local.rotation

  # The new password is proven by a login, and the group may be what lets it in.
  depends_on = [rdsaccess_security_group.this]
}

resource "rdsaccess_role" "this" {
  for_each = local.levels

  target_arn = var.target_arn
  access     = each.key
  name       = try(coalesce(local.role_names[each.key]), provider::rdsaccess::role_name(local.role_prefix, each.key))
  databases  = local.databases
  auth       = local.auth
  rotation   = local.auth == "iam" ? null : local.rotation
  admin = {
    secret_ref = local.admin_secret_ref != null ? local.admin_secret_ref : rdsaccess_master_credential.this[0].secret_ref
  }

  depends_on = [rdsaccess_security_group.this]
}

resource "rdsaccess_connection" "this" {
  for_each = local.levels

  name            = try(coalesce(local.connection_names[each.key]), provider::rdsaccess::connection_name(each.key, local.connection_prefix))
  target_arn      = var.target_arn
  role            = rdsaccess_role.this[each.key]
  agent_name      = var.agent_name
  secret_delivery = local.secret_delivery
  tags            = local.tags

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
  count = local.notification == null ? 0 : 1

  target_arn      = var.target_arn
  results         = values(rdsaccess_role.this)
  command         = local.notification.command
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
