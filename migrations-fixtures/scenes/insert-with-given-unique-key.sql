-- about a unique key that is given may meet one that is not committed
-- setup
CREATE TABLE kinds (id serial PRIMARY KEY, name text UNIQUE);
-- holder writer
BEGIN;
INSERT INTO kinds (name) VALUES ('y');
-- migration
INSERT INTO kinds (name) VALUES ('y');
-- expect cannot_tell
