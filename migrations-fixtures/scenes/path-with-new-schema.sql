-- about a new schema comes first in search_path: the table of the same name in public is not touched (cases/migrations/23, 5)
-- setup
CREATE TABLE t (id int);
-- holder reader
BEGIN;
SELECT * FROM t;
-- migration
CREATE SCHEMA app;
SET search_path = app, public;
CREATE TABLE t (id int);
ALTER TABLE t ADD COLUMN a int;
-- expect clear
