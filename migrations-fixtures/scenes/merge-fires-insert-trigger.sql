-- about MERGE fires the triggers of what it may do (cases/migrations/24)
-- since 15
-- setup
CREATE TABLE log (x int);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (1); RETURN NULL; END';
CREATE TABLE t (id int PRIMARY KEY, v int);
CREATE TABLE s (id int, v int);
CREATE TRIGGER tr AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION f();
-- holder other
BEGIN;
LOCK TABLE log;
-- migration
MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v);
-- expect would_block at 1 behind other
