-- setting the password of hoop_ro, in master
ALTER LOGIN [hoop_ro] WITH PASSWORD = N'Geheim-1234' UNLOCK;

-- settling the login hoop_ro, in master
BEGIN TRANSACTION;
ALTER LOGIN [hoop_ro] WITH DEFAULT_DATABASE = [master];
ALTER SERVER ROLE [securityadmin] DROP MEMBER [hoop_ro];
GRANT CONNECT SQL TO [hoop_ro];
REVOKE VIEW SERVER STATE FROM [hoop_ro] CASCADE;
COMMIT TRANSACTION;

-- settling the user hoop_ro in app, in app
BEGIN TRANSACTION;
ALTER ROLE [db_datareader] ADD MEMBER [hoop_ro];
ALTER ROLE [db_owner] DROP MEMBER [hoop_ro];
ALTER ROLE [team]]] DROP MEMBER [hoop_ro];
GRANT CONNECT TO [hoop_ro];
REVOKE EXECUTE FROM [hoop_ro] CASCADE;
REVOKE SELECT ON SCHEMA::[dbo] FROM [hoop_ro] CASCADE;
REVOKE INSERT ON OBJECT::[dbo].[t] FROM [hoop_ro] CASCADE;
REVOKE GRANT OPTION FOR SELECT ON OBJECT::[dbo].[t] FROM [hoop_ro] CASCADE;
REVOKE UPDATE ON OBJECT::[dbo].[t] ([c]]]) FROM [hoop_ro] CASCADE;
COMMIT TRANSACTION;

-- enabling the login hoop_ro, in master
ALTER LOGIN [hoop_ro] ENABLE;
