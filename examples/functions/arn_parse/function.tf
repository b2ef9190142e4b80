output "account_id" {
  value = provider::rdsaccess::arn_parse("arn:aws:rds:eu-central-1:111122223333:db:ledger").account_id
}
