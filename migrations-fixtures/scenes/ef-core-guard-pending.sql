-- about what EF Core's history table does not have will run (cases/migrations/06)
-- setup
CREATE TABLE "__EFMigrationsHistory" ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL);
INSERT INTO "__EFMigrationsHistory" VALUES ('2024_Old', '8.0.0');
CREATE TABLE "Blogs" ("Id" int PRIMARY KEY);
-- holder reader
BEGIN;
SELECT * FROM "Blogs";
-- migration
DO $EF$
BEGIN
    IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2024_Old') THEN
    ALTER TABLE "Blogs" ADD "Never" integer;
    END IF;
END $EF$;
DO $EF$
BEGIN
    IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2025_New') THEN
    ALTER TABLE "Blogs" ADD "Old" integer;
    END IF;
END $EF$;
DO $EF$
BEGIN
    IF NOT EXISTS(SELECT 1 FROM "__EFMigrationsHistory" WHERE "MigrationId" = '2025_New') THEN
    INSERT INTO "__EFMigrationsHistory" VALUES ('2025_New', '8.0.0');
    END IF;
END $EF$;
-- expect would_block at 7 behind reader
