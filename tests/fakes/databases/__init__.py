"""Real database servers that look like RDS: PostgreSQL and MariaDB on loopback, with TLS and a master user."""
