-- creating the login hoop_rw, in master
BEGIN TRANSACTION;
CREATE LOGIN [hoop_rw] WITH PASSWORD = N'Geheim-1234', DEFAULT_DATABASE = [master], CHECK_EXPIRATION = OFF, CHECK_POLICY = ON;
ALTER LOGIN [hoop_rw] DISABLE;
COMMIT TRANSACTION;

-- settling the user hoop_rw in app, in app
BEGIN TRANSACTION;
CREATE USER [hoop_rw] FOR LOGIN [hoop_rw];
ALTER ROLE [db_datareader] ADD MEMBER [hoop_rw];
ALTER ROLE [db_datawriter] ADD MEMBER [hoop_rw];
COMMIT TRANSACTION;

-- settling the user hoop_rw in web, in web
BEGIN TRANSACTION;
CREATE USER [hoop_rw] FOR LOGIN [hoop_rw];
ALTER ROLE [db_datareader] ADD MEMBER [hoop_rw];
ALTER ROLE [db_datawriter] ADD MEMBER [hoop_rw];
GRANT SHOWPLAN TO [hoop_rw];
GRANT VIEW DATABASE STATE TO [hoop_rw];
GRANT EXECUTE TO [hoop_rw];
GRANT EXECUTE ON SCHEMA::[sales] TO [hoop_rw];
GRANT REFERENCES ON OBJECT::[sales].[a]]b] TO [hoop_rw];
GRANT REFERENCES ON OBJECT::[sales].[orders] TO [hoop_rw];
GRANT UPDATE ON OBJECT::[sales].[ids] TO [hoop_rw];
COMMIT TRANSACTION;

-- enabling the login hoop_rw, in master
ALTER LOGIN [hoop_rw] ENABLE;
