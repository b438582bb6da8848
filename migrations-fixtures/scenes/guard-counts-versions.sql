-- about a guard may count the rows of a version table (cases/migrations/06)
-- setup
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('20240101000000');
CREATE TABLE boats (id int);
-- holder reader
BEGIN;
SELECT * FROM boats;
-- migration
DO $$
BEGIN
    IF (SELECT count(*) FROM public.schema_migrations WHERE version = '20240101000000') = 0 THEN
        ALTER TABLE boats ADD COLUMN name text;
    END IF;
END $$;
-- expect clear
