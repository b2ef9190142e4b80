# Every PostgreSQL and MariaDB database of two accounts that carries the tag `access = managed`.
data "rdsaccess_instances" "managed" {
  account_ids = ["111122223333", "444455556666"]
  regions     = ["eu-central-1", "us-east-1"]
  engines     = ["postgres", "mariadb"]
  tags        = { access = "managed" }
}

output "endpoints" {
  value = { for arn, target in data.rdsaccess_instances.managed.targets : arn => target.endpoint }
}
