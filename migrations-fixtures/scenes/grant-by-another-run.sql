-- about an open transaction has granted, and then written its version row (cases/migrations/02)
-- setup
CREATE TABLE orders (id int);
CREATE TABLE versions (v text);
-- holder other-run
BEGIN;
GRANT SELECT ON orders TO PUBLIC;
INSERT INTO versions VALUES ('1');
-- migration
GRANT SELECT ON orders TO PUBLIC;
-- expect cannot_tell
