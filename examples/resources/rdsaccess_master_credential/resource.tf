data "rdsaccess_instances" "managed" {
  tags = { access = "managed" }
}

# Creating it replaces the master password. The secret's reference goes to whatever needs to log in.
resource "rdsaccess_master_credential" "admin" {
  for_each = data.rdsaccess_instances.managed.targets

  target_arn = each.key
  rotation   = { after = "90d" }
}

# Keeps the password that a secret of your own holds.
resource "rdsaccess_master_credential" "legacy" {
  target_arn       = "arn:aws:rds:eu-central-1:111122223333:db:legacy"
  adopt_secret_ref = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:legacy/master-AbCdEf"
}

# RDS makes, keeps and rotates the password. `secret_ref` is the secret of RDS.
resource "rdsaccess_master_credential" "reports" {
  target_arn = "arn:aws:rds:eu-central-1:111122223333:cluster:reports"
  method     = "rds_managed"
  rotation   = { after = "30d" }
}
