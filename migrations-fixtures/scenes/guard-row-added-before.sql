-- about a row that the migration may have added answers no guard (cases/migrations/06)
-- setup
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE boats (id int);
-- holder reader
BEGIN;
SELECT * FROM boats;
-- migration
INSERT INTO schema_migrations VALUES ('20240101000000');
DO $$
BEGIN
    IF (SELECT count(*) FROM schema_migrations WHERE version = '20240101000000') = 0 THEN
        ALTER TABLE boats ADD COLUMN name text;
    END IF;
END $$;
-- expect cannot_tell
