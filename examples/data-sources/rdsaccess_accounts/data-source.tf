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

# The place of each account in the tree, such as Root/Prod/Payments/payments-eu-1kpqzg2c.
locals {
  names = { for id, account in data.rdsaccess_accounts.prod.accounts : id => "${account.ou_path}/${account.handle}" }
}

# Two of 16 parts of the accounts that carry a tag; `examples/scenarios/shards` has a state for each part.
data "rdsaccess_accounts" "part" {
  tags  = { access = "managed" }
  shard = { count = 16, indexes = [0, 1] }
}
