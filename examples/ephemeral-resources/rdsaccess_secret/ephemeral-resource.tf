data "rdsaccess_instances" "ledger" {
  identifiers = ["ledger"]
}

resource "rdsaccess_master_credential" "master" {
  for_each   = data.rdsaccess_instances.ledger.targets
  target_arn = each.key
}

resource "rdsaccess_role" "reader" {
  for_each = data.rdsaccess_instances.ledger.targets

  target_arn = each.key
  access     = "read_only"
  admin      = { secret_ref = rdsaccess_master_credential.master[each.key].secret_ref }
}

# The password of a role of this configuration, in the same apply. It goes where Terraform keeps nothing: into the block
# of another provider, or a write-only argument.
ephemeral "rdsaccess_secret" "reader" {
  for_each = rdsaccess_role.reader

  secret_ref = each.value.secret_ref
}

# resource "aws_secretsmanager_secret" "reader" {
#   for_each = rdsaccess_role.reader
#
#   name = "reporting/${each.value.username}"
# }
#
# resource "aws_secretsmanager_secret_version" "reader" {
#   for_each = rdsaccess_role.reader
#
#   secret_id                = aws_secretsmanager_secret.reader[each.key].id
#   secret_string_wo         = ephemeral.rdsaccess_secret.reader[each.key].password
#   secret_string_wo_version = parseint(substr(sha1(each.value.secret_version), 0, 8), 16)
# }
