data "rdsaccess_instances" "ledger" {
  identifiers = ["ledger"]
}

resource "rdsaccess_role" "reader" {
  for_each = data.rdsaccess_instances.ledger.targets

  target_arn = each.key
  access     = "read_only"
}

# The password of a role of this configuration, in the same apply. It goes where Terraform keeps nothing: into the block
# of another provider, or a write-only argument.
ephemeral "rdsaccess_secret" "reader" {
  for_each = rdsaccess_role.reader

  secret_ref = each.value.secret_ref
}

# resource "aws_secretsmanager_secret_version" "reader" {
#   for_each = rdsaccess_role.reader
#
#   secret_id                = "reporting/${each.value.username}"
#   secret_string_wo         = ephemeral.rdsaccess_secret.reader[each.key].password
#   secret_string_wo_version = parseint(substr(sha1(each.value.secret_version), 0, 8), 16)
# }
