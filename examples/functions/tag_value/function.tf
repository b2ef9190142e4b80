# db-example-com
output "value" {
  value = provider::rdsaccess::tag_value("db.example.com")
}
