-- create
CREATE USER `hoop_ro`@`%` IDENTIFIED VIA mysql_native_password USING '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19' REQUIRE SSL ACCOUNT LOCK;
GRANT DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `app\_prod`.* TO `hoop_ro`@`%`;
GRANT DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `web`.* TO `hoop_ro`@`%`;
ALTER USER `hoop_ro`@`%` ACCOUNT UNLOCK;

-- create with tokens of IAM
CREATE USER `hoop_ro`@`%` IDENTIFIED VIA AWSAuthenticationPlugin USING 'RDS' REQUIRE SSL ACCOUNT LOCK;
GRANT DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `app\_prod`.* TO `hoop_ro`@`%`;
GRANT DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `web`.* TO `hoop_ro`@`%`;
ALTER USER `hoop_ro`@`%` ACCOUNT UNLOCK;

-- nothing differs

-- a new database
GRANT DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `fresh`.* TO `hoop_ro`@`%`;

-- rights that were lost and added
GRANT SELECT ON `app\_prod`.* TO `hoop_ro`@`%`;
GRANT DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `web`.* TO `hoop_ro`@`%`;
REVOKE EVENT, GRANT OPTION ON `app\_prod`.* FROM `hoop_ro`@`%`;
REVOKE DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `we_`.* FROM `hoop_ro`@`%`;
REVOKE TRIGGER ON `web`.`invoices` FROM `hoop_ro`@`%`;
REVOKE EXECUTE ON PROCEDURE `web`.`pay` FROM `hoop_ro`@`%`;
REVOKE PROCESS ON *.* FROM `hoop_ro`@`%`;
REVOKE `admins` FROM `hoop_ro`@`%`;

-- an account that was changed
ALTER USER `hoop_ro`@`%` REQUIRE SSL WITH MAX_USER_CONNECTIONS 0 MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0 PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK;

-- single rights beside the level
GRANT LOCK TABLES ON `web`.* TO `hoop_ro`@`%`;
GRANT TRIGGER ON `web`.`invoices` TO `hoop_ro`@`%`;
GRANT EXECUTE ON PROCEDURE `web`.`pay` TO `hoop_ro`@`%`;

-- a connection limit
ALTER USER `hoop_ro`@`%` WITH MAX_USER_CONNECTIONS 5;

-- another password
ALTER USER `hoop_ro`@`%` IDENTIFIED VIA mysql_native_password USING '*CB3326D5279DE7915FE5D743232165EE887883CA';

-- from a password to tokens of IAM
ALTER USER `hoop_ro`@`%` IDENTIFIED VIA AWSAuthenticationPlugin USING 'RDS';

-- from tokens of IAM to a password
ALTER USER `hoop_ro`@`%` IDENTIFIED VIA mysql_native_password USING '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19';

-- disable
ALTER USER `hoop_ro`@`%` ACCOUNT LOCK;
REVOKE DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `app\_prod`.* FROM `hoop_ro`@`%`;
REVOKE DELETE, INSERT, SELECT, SHOW VIEW, UPDATE ON `web`.* FROM `hoop_ro`@`%`;

-- drop
ALTER USER `hoop_ro`@`%` ACCOUNT LOCK;
DROP USER `hoop_ro`@`%`;

