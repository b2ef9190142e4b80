-- create
CREATE USER `hoop_ro`@`%` IDENTIFIED WITH mysql_native_password AS '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19' REQUIRE SSL ACCOUNT LOCK;
GRANT SELECT, SHOW VIEW ON `app\_prod`.* TO `hoop_ro`@`%`;
GRANT SELECT, SHOW VIEW ON `web`.* TO `hoop_ro`@`%`;
ALTER USER `hoop_ro`@`%` ACCOUNT UNLOCK;

-- create with tokens of IAM
CREATE USER `hoop_ro`@`%` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL ACCOUNT LOCK;
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

-- from a password to tokens of IAM
ALTER USER `hoop_ro`@`%` IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';

-- from tokens of IAM to a password
ALTER USER `hoop_ro`@`%` IDENTIFIED WITH mysql_native_password AS '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19';

-- disable
ALTER USER `hoop_ro`@`%` ACCOUNT LOCK;
REVOKE SELECT, SHOW VIEW ON `app\_prod`.* FROM `hoop_ro`@`%`;
REVOKE SELECT, SHOW VIEW ON `web`.* FROM `hoop_ro`@`%`;

-- drop
ALTER USER `hoop_ro`@`%` ACCOUNT LOCK;
DROP USER `hoop_ro`@`%`;

