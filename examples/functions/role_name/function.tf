# payments_rw
output "name" {
  value = provider::rdsaccess::role_name("payments", "read_write")
}
