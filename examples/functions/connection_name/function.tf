# payments-eu1-main-ro
output "name" {
  value = provider::rdsaccess::connection_name("read_only", "payments", "eu1", "main")
}
