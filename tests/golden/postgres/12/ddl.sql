-- PostgreSQL 12, database app
BEGIN;
CREATE ROLE "hoop" LOGIN INHERIT;
COMMENT ON ROLE "hoop" IS '{"managed_by":"rdsaccess","target":"db-ABC"}';
CREATE ROLE "rdsaccess_ddl_cf162cb9a99d" NOLOGIN INHERIT;
COMMENT ON ROLE "rdsaccess_ddl_cf162cb9a99d" IS '{"managed_by":"rdsaccess","purpose":"ddl on database app, all schemas","target":"db-ABC"}';
GRANT "rdsaccess_ddl_cf162cb9a99d" TO "hoop";
ALTER ROLE "hoop" IN DATABASE "app" SET role = 'rdsaccess_ddl_cf162cb9a99d';
GRANT CONNECT ON DATABASE "app" TO "rdsaccess_ddl_cf162cb9a99d";
GRANT USAGE, CREATE ON SCHEMA "sales" TO "rdsaccess_ddl_cf162cb9a99d";
GRANT SELECT, UPDATE, USAGE ON SEQUENCE "sales"."orders_id_seq", "sales"."numbers" TO "rdsaccess_ddl_cf162cb9a99d";
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "sales"."orders", "sales"."parts", "sales"."parts_low", "sales"."notes", "sales"."counts" TO "rdsaccess_ddl_cf162cb9a99d";
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLE "sales"."kept" TO "rdsaccess_ddl_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "sales" GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLES TO "rdsaccess_ddl_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "sales" GRANT SELECT, UPDATE, USAGE ON SEQUENCES TO "rdsaccess_ddl_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "keeper" IN SCHEMA "sales" GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON TABLES TO "rdsaccess_ddl_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "keeper" IN SCHEMA "sales" GRANT SELECT, UPDATE, USAGE ON SEQUENCES TO "rdsaccess_ddl_cf162cb9a99d";
COMMIT;
