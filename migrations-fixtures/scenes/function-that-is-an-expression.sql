-- about a function whose body is an expression locks nothing
-- setup
CREATE TABLE t (id int);
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x * 2';
CREATE FUNCTION thrice(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN x * 3; END';
-- migration
CREATE INDEX ON t (twice(id));
CREATE INDEX ON t (thrice(id));
-- expect clear
