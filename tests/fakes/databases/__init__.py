"""Real database servers that look like RDS: PostgreSQL, MariaDB and MySQL on loopback, with TLS and a
master user, and the check of IAM tokens."""
