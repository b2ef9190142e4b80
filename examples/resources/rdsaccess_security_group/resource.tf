data "rdsaccess_instances" "managed" {
  tags = { access = "managed" }
}

# One group per database; the port comes from the database.
resource "rdsaccess_security_group" "agent" {
  for_each = data.rdsaccess_instances.managed.targets

  target_arn = each.key
  ingress = [
    { cidr_ipv4 = "10.20.0.0/16", description = "access gateway" },
    { security_group_id = "sg-0123456789abcdef0" },
  ]
}
