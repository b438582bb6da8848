-- about what the run itself makes is in nobody's way (cases/migrations/01)
-- setup
CREATE TABLE other (id int);
-- holder reader
BEGIN;
SELECT * FROM other;
-- migration 1_make.sql
CREATE TABLE fresh (id int);
-- migration 2_use.sql
CREATE INDEX ON fresh (id);
ALTER TABLE fresh ADD COLUMN x int;
-- expect clear
