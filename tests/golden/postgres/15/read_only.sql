-- PostgreSQL 15, database app
BEGIN;
CREATE ROLE "hoop" LOGIN INHERIT;
COMMENT ON ROLE "hoop" IS '{"managed_by":"rdsaccess","target":"db-ABC"}';
CREATE ROLE "rdsaccess_ro_cf162cb9a99d" NOLOGIN INHERIT;
COMMENT ON ROLE "rdsaccess_ro_cf162cb9a99d" IS '{"managed_by":"rdsaccess","purpose":"read_only on database app, all schemas","target":"db-ABC"}';
GRANT "rdsaccess_ro_cf162cb9a99d" TO "hoop";
GRANT CONNECT ON DATABASE "app" TO "rdsaccess_ro_cf162cb9a99d";
GRANT USAGE ON SCHEMA "public", "sales" TO "rdsaccess_ro_cf162cb9a99d";
GRANT SELECT ON SEQUENCE "sales"."orders_id_seq", "sales"."numbers" TO "rdsaccess_ro_cf162cb9a99d";
GRANT SELECT ON TABLE "sales"."orders", "sales"."parts", "sales"."parts_low", "sales"."notes", "sales"."counts" TO "rdsaccess_ro_cf162cb9a99d";
GRANT SELECT ON TABLE "sales"."kept" TO "rdsaccess_ro_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "public" GRANT SELECT ON TABLES TO "rdsaccess_ro_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "public" GRANT SELECT ON SEQUENCES TO "rdsaccess_ro_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "sales" GRANT SELECT ON TABLES TO "rdsaccess_ro_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "admin1" IN SCHEMA "sales" GRANT SELECT ON SEQUENCES TO "rdsaccess_ro_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "keeper" IN SCHEMA "sales" GRANT SELECT ON TABLES TO "rdsaccess_ro_cf162cb9a99d";
ALTER DEFAULT PRIVILEGES FOR ROLE "keeper" IN SCHEMA "sales" GRANT SELECT ON SEQUENCES TO "rdsaccess_ro_cf162cb9a99d";
COMMIT;
