-- creating the login hoop_ddl, in master
BEGIN TRANSACTION;
CREATE LOGIN [hoop_ddl] WITH PASSWORD = N'Geheim-1234', DEFAULT_DATABASE = [master], CHECK_EXPIRATION = OFF, CHECK_POLICY = ON;
ALTER LOGIN [hoop_ddl] DISABLE;
COMMIT TRANSACTION;

-- settling the user hoop_ddl in app, in app
BEGIN TRANSACTION;
CREATE USER [hoop_ddl] FOR LOGIN [hoop_ddl];
ALTER ROLE [db_datareader] ADD MEMBER [hoop_ddl];
ALTER ROLE [db_datawriter] ADD MEMBER [hoop_ddl];
ALTER ROLE [db_ddladmin] ADD MEMBER [hoop_ddl];
COMMIT TRANSACTION;

-- settling the user hoop_ddl in web, in web
BEGIN TRANSACTION;
CREATE USER [hoop_ddl] FOR LOGIN [hoop_ddl];
ALTER ROLE [db_datareader] ADD MEMBER [hoop_ddl];
ALTER ROLE [db_datawriter] ADD MEMBER [hoop_ddl];
ALTER ROLE [db_ddladmin] ADD MEMBER [hoop_ddl];
GRANT SHOWPLAN TO [hoop_ddl];
GRANT VIEW DATABASE STATE TO [hoop_ddl];
GRANT EXECUTE TO [hoop_ddl];
GRANT EXECUTE ON SCHEMA::[sales] TO [hoop_ddl];
GRANT REFERENCES ON OBJECT::[sales].[a]]b] TO [hoop_ddl];
GRANT REFERENCES ON OBJECT::[sales].[orders] TO [hoop_ddl];
GRANT UPDATE ON OBJECT::[sales].[ids] TO [hoop_ddl];
COMMIT TRANSACTION;

-- enabling the login hoop_ddl, in master
ALTER LOGIN [hoop_ddl] ENABLE;
