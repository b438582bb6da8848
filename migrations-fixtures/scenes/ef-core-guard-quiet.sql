-- about EF Core's guards ask its history table: nobody holds what they may alter (cases/migrations/06)
-- setup
CREATE TABLE "__EFMigrationsHistory" ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL);
INSERT INTO "__EFMigrationsHistory" VALUES ('2024_Old', '8.0.0');
CREATE TABLE "Blogs" ("Id" int PRIMARY KEY);
CREATE TABLE quiet (id int);
-- holder reader
BEGIN;
SELECT * FROM pg_class LIMIT 1;
-- migration
START TRANSACTION;
DO $EF$
BEGIN
    IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2024_Old') THEN
    ALTER TABLE "Blogs" ADD "Old" integer;
    END IF;
END $EF$;
DO $EF$
BEGIN
    IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2024_New') THEN
    ALTER TABLE quiet ADD "New" integer;
    END IF;
END $EF$;
DO $EF$
BEGIN
    IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2024_New') THEN
    INSERT INTO "__EFMigrationsHistory" VALUES ('2024_New', '8.0.0');
    END IF;
END $EF$;
COMMIT;
-- expect clear
-- silent runs code of its own
