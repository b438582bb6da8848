-- about two inserts whose only unique key comes from a sequence do not meet (cases/migrations/19)
-- setup
CREATE TABLE kinds (id serial PRIMARY KEY, name text);
-- holder writer
BEGIN;
INSERT INTO kinds (name) VALUES ('x');
-- migration
INSERT INTO kinds (name) VALUES ('y');
-- expect clear
