-- about the only unique key comes from the column's sequence: two inserts cannot meet (cases/migrations/19)
-- setup
CREATE TABLE kinds (id serial PRIMARY KEY, name text);
CREATE TABLE parts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE VIEW names AS SELECT id, name FROM kinds;
-- holder writer
BEGIN;
INSERT INTO kinds (name) VALUES ('x');
INSERT INTO parts (name) VALUES ('x');
-- migration
INSERT INTO kinds (name) VALUES ('y');
INSERT INTO kinds (name) SELECT name FROM parts;
INSERT INTO parts (name) VALUES ('y');
INSERT INTO names (name) VALUES ('y');
-- expect clear
