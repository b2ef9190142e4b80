-- Makes a fresh MariaDB look like RDS. Runs as root over the socket; rdsadmin is the owner whom nobody else may use.
DELETE FROM mysql.global_priv WHERE User = '';
FLUSH PRIVILEGES;
CREATE USER 'rdsadmin'@'localhost' IDENTIFIED VIA unix_socket OR mysql_native_password USING 'invalid';
GRANT ALL PRIVILEGES ON *.* TO 'rdsadmin'@'localhost' WITH GRANT OPTION;
-- RDS's way to end the session of somebody else.
CREATE DEFINER = 'root'@'localhost' PROCEDURE mysql.rds_kill(IN thread BIGINT) READS SQL DATA KILL thread;
