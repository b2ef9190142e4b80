-- PostgreSQL 15, database app
BEGIN;
CREATE ROLE "hoop" LOGIN INHERIT;
COMMENT ON ROLE "hoop" IS '{"managed_by":"rdsaccess","target":"db-ABC"}';
CREATE ROLE "rdsaccess_rw_cf162cb9a99d" NOLOGIN INHERIT;
COMMENT ON ROLE "rdsaccess_rw_cf162cb9a99d" IS '{"managed_by":"rdsaccess","purpose":"read_write on database app, all schemas","target":"db-ABC"}';
GRANT "rdsaccess_rw_cf162cb9a99d" TO "hoop";
GRANT CONNECT ON DATABASE "app" TO "rdsaccess_rw_cf162cb9a99d";
GRANT USAGE ON SCHEMA "public", "sales" TO "rdsaccess_rw_cf162cb9a99d";
GRANT SELECT, UPDATE, USAGE ON SEQUENCE "sales"."orders_id_seq", "sales"."numbers" TO "rdsaccess_rw_cf162cb9a99d";
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "sales"."orders", "sales"."parts", "sales"."parts_low", "sales"."notes", "sales"."counts" TO "rdsaccess_rw_cf162cb9a99d";
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "sales"."kept" TO "rdsaccess_rw_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "public" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "rdsaccess_rw_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "public" GRANT SELECT, UPDATE, USAGE ON SEQUENCES TO "rdsaccess_rw_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "sales" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "rdsaccess_rw_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "sales" GRANT SELECT, UPDATE, USAGE ON SEQUENCES TO "rdsaccess_rw_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "keeper" IN SCHEMA "sales" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "rdsaccess_rw_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "keeper" IN SCHEMA "sales" GRANT SELECT, UPDATE, USAGE ON SEQUENCES TO "rdsaccess_rw_cf162cb9a99d";
COMMIT;
