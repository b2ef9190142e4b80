# postgresql://hoop_ro@ledger.example.eu-central-1.rds.amazonaws.com:5432/app?sslmode=verify-full
output "uri" {
  value = provider::rdsaccess::connection_uri(
    "postgres",
    "ledger.example.eu-central-1.rds.amazonaws.com",
    5432,
    "app",
    "hoop_ro",
  )
}
