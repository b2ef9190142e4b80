data "rdsaccess_instances" "managed" {
  tags = { access = "managed" }
}

resource "rdsaccess_master_credential" "master" {
  for_each   = data.rdsaccess_instances.managed.targets
  target_arn = each.key
}

# A role that reads every database of each server, with its password in AWS Secrets Manager.
resource "rdsaccess_role" "reader" {
  for_each = data.rdsaccess_instances.managed.targets

  target_arn = each.key
  access     = "read_only"
  admin      = { secret_ref = rdsaccess_master_credential.master[each.key].secret_ref }
}

output "coverage" {
  value = { for arn, role in rdsaccess_role.reader : arn => role.coverage }
}
