-- creating the login hoop_ro, in master
BEGIN TRANSACTION;
CREATE LOGIN [hoop_ro] WITH PASSWORD = N'Geheim-1234', DEFAULT_DATABASE = [master], CHECK_EXPIRATION = OFF, CHECK_POLICY = ON;
ALTER LOGIN [hoop_ro] DISABLE;
COMMIT TRANSACTION;

-- settling the user hoop_ro in app, in app
BEGIN TRANSACTION;
CREATE USER [hoop_ro] FOR LOGIN [hoop_ro];
ALTER ROLE [db_datareader] ADD MEMBER [hoop_ro];
COMMIT TRANSACTION;

-- settling the user hoop_ro in web, in web
BEGIN TRANSACTION;
CREATE USER [hoop_ro] FOR LOGIN [hoop_ro];
ALTER ROLE [db_datareader] ADD MEMBER [hoop_ro];
GRANT SHOWPLAN TO [hoop_ro];
GRANT VIEW DATABASE STATE TO [hoop_ro];
GRANT EXECUTE TO [hoop_ro];
GRANT EXECUTE ON SCHEMA::[sales] TO [hoop_ro];
GRANT REFERENCES ON OBJECT::[sales].[a]]b] TO [hoop_ro];
GRANT REFERENCES ON OBJECT::[sales].[orders] TO [hoop_ro];
GRANT UPDATE ON OBJECT::[sales].[ids] TO [hoop_ro];
COMMIT TRANSACTION;

-- enabling the login hoop_ro, in master
ALTER LOGIN [hoop_ro] ENABLE;
