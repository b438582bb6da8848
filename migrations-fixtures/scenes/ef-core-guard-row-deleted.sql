-- about a row of the history table that the migration takes away answers no guard any more (cases/migrations/06)
-- setup
CREATE TABLE "__EFMigrationsHistory" ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL);
INSERT INTO "__EFMigrationsHistory" VALUES ('2024_Old', '8.0.0');
CREATE TABLE "Blogs" ("Id" int PRIMARY KEY);
-- holder reader
BEGIN;
SELECT * FROM "Blogs";
-- migration
DELETE FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2024_Old';
DO $EF$
BEGIN
    IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2024_Old') THEN
    ALTER TABLE "Blogs" ADD "Old" integer;
    END IF;
END $EF$;
-- expect cannot_tell
