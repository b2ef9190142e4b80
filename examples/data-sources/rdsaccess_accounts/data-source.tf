# Every active account below two organizational units, but for one.
data "rdsaccess_accounts" "prod" {
  organizational_units = ["Root/Prod", "Root/Shared"]
  exclude_ids          = ["111122223333"]
}

# The databases in them.
data "rdsaccess_instances" "prod" {
  account_ids = data.rdsaccess_accounts.prod.ids
  regions     = ["eu-central-1", "us-east-1"]
}

output "endpoints" {
  value = {
    for target in data.rdsaccess_instances.prod.targets :
    "${data.rdsaccess_accounts.prod.accounts[target.account_id].handle}-${target.region}-${target.identifier}" => target.endpoint
  }
}
