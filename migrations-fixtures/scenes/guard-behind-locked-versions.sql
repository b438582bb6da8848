-- about a guard waits for who has the version table to himself, and is not read meanwhile (cases/migrations/06)
-- setup
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('20240101000000');
CREATE TABLE boats (id int);
-- holder other
BEGIN;
LOCK TABLE schema_migrations;
-- migration
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM schema_migrations WHERE version = '20240101000000') THEN
        ALTER TABLE boats ADD COLUMN name text;
    END IF;
END $$;
-- expect would_block behind other
