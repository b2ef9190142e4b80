-- Makes a fresh PostgreSQL cluster look like RDS. Runs as the bootstrap superuser rdsadmin, whom nobody else may use.
\set ON_ERROR_STOP on
CREATE ROLE rds_superuser NOLOGIN;
CREATE ROLE rds_iam NOLOGIN;
CREATE ROLE rds_replication NOLOGIN;
CREATE ROLE rds_password NOLOGIN;
CREATE ROLE rds_ad NOLOGIN;
CREATE ROLE rdsrepladmin NOLOGIN REPLICATION;
GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION;
GRANT rds_replication, rds_password TO rds_superuser WITH ADMIN OPTION;
-- From version 16 on CREATEROLE alone grants only roles that the grantor administers; RDS gives its superuser these.
SELECT current_setting('server_version_num')::int >= 160000 AS modern \gset
\if :modern
GRANT rds_iam, rds_ad, pg_read_all_data, pg_write_all_data TO rds_superuser WITH ADMIN OPTION;
\endif
CREATE DATABASE rdsadmin OWNER rdsadmin;
REVOKE ALL ON DATABASE rdsadmin FROM PUBLIC;
