-- create
CREATE USER `hoop_ro`@`%` IDENTIFIED WITH caching_sha2_password AS '$A$005$<salt and digest>' REQUIRE SSL ACCOUNT LOCK ATTRIBUTE '{"rdsaccess":{"managed_by":"rdsaccess","purpose":"reader''s role","target":"db-ABC"}}';
GRANT SELECT, SHOW VIEW ON `app\_prod`.* TO `hoop_ro`@`%`;
GRANT SELECT, SHOW VIEW ON `web`.* TO `hoop_ro`@`%`;
ALTER USER `hoop_ro`@`%` ACCOUNT UNLOCK;

-- create with tokens of IAM
CREATE USER `hoop_ro`@`%` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL ACCOUNT LOCK ATTRIBUTE '{"rdsaccess":{"managed_by":"rdsaccess","purpose":"reader''s role","target":"db-ABC"}}';
GRANT SELECT, SHOW VIEW ON `app\_prod`.* TO `hoop_ro`@`%`;
GRANT SELECT, SHOW VIEW ON `web`.* TO `hoop_ro`@`%`;
ALTER USER `hoop_ro`@`%` ACCOUNT UNLOCK;

-- nothing differs

-- a new database
GRANT SELECT, SHOW VIEW ON `fresh`.* TO `hoop_ro`@`%`;

-- rights that were lost and added
GRANT SELECT ON `app\_prod`.* TO `hoop_ro`@`%`;
GRANT SELECT, SHOW VIEW ON `web`.* TO `hoop_ro`@`%`;
REVOKE EVENT, GRANT OPTION ON `app\_prod`.* FROM `hoop_ro`@`%`;
REVOKE SELECT, SHOW VIEW ON `we_`.* FROM `hoop_ro`@`%`;
REVOKE TRIGGER ON `web`.`invoices` FROM `hoop_ro`@`%`;
REVOKE UPDATE (`id`) ON `web`.`invoices` FROM `hoop_ro`@`%`;
REVOKE EXECUTE ON PROCEDURE `web`.`pay` FROM `hoop_ro`@`%`;
REVOKE PROCESS ON *.* FROM `hoop_ro`@`%`;
REVOKE `admins`@`%` FROM `hoop_ro`@`%`;

-- an account that was changed
ALTER USER `hoop_ro`@`%` REQUIRE SSL WITH MAX_USER_CONNECTIONS 0 MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK;

-- single rights beside the level
GRANT LOCK TABLES ON `web`.* TO `hoop_ro`@`%`;
GRANT INSERT, TRIGGER ON `web`.`invoices` TO `hoop_ro`@`%`;
GRANT EXECUTE ON PROCEDURE `web`.`pay` TO `hoop_ro`@`%`;

-- a connection limit
ALTER USER `hoop_ro`@`%` WITH MAX_USER_CONNECTIONS 5;

-- another password
ALTER USER `hoop_ro`@`%` IDENTIFIED WITH mysql_native_password AS '*CB3326D5279DE7915FE5D743232165EE887883CA';

-- another password, the old one stays
ALTER USER `hoop_ro`@`%` IDENTIFIED WITH mysql_native_password AS '*CB3326D5279DE7915FE5D743232165EE887883CA' RETAIN CURRENT PASSWORD;

-- an old password that is not wanted
ALTER USER `hoop_ro`@`%` DISCARD OLD PASSWORD;

-- from a password to tokens of IAM
ALTER USER `hoop_ro`@`%` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';

-- from tokens of IAM to a password
ALTER USER `hoop_ro`@`%` IDENTIFIED WITH caching_sha2_password AS '$A$005$<salt and digest>';

-- partial_revokes was switched on
GRANT SELECT, SHOW VIEW ON `app_prod`.* TO `hoop_ro`@`%`;
REVOKE SELECT, SHOW VIEW ON `app\_prod`.* FROM `hoop_ro`@`%`;

-- disable
ALTER USER `hoop_ro`@`%` ACCOUNT LOCK;
REVOKE SELECT, SHOW VIEW ON `app\_prod`.* FROM `hoop_ro`@`%`;
REVOKE SELECT, SHOW VIEW ON `web`.* FROM `hoop_ro`@`%`;

-- drop
ALTER USER `hoop_ro`@`%` ACCOUNT LOCK;
DROP USER `hoop_ro`@`%`;

