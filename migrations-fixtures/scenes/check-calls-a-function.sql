-- about the function of an existing CHECK reads another table (cases/migrations/22)
-- setup
CREATE TABLE u (v int);
CREATE FUNCTION f(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM 1 FROM public.u; RETURN x; END $$;
CREATE TABLE t (id int PRIMARY KEY, v int CHECK (f(v) > 0));
-- holder other
BEGIN;
LOCK TABLE u;
-- migration
INSERT INTO t VALUES (1, 1);
-- expect would_block at 1 behind other
