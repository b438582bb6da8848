-- about an open transaction has granted, and then written its version row (cases/migrations/02)
-- setup
DO $$ BEGIN CREATE ROLE scene_web; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
CREATE TABLE orders (id int);
CREATE TABLE schema_migrations (version text);
-- holder other-run
BEGIN;
GRANT SELECT ON orders TO scene_web;
INSERT INTO schema_migrations VALUES ('1');
-- migration
GRANT SELECT ON orders TO scene_web;
-- expect cannot_tell
