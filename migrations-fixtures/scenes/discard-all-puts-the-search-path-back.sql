-- about DISCARD ALL puts search_path back
-- setup
CREATE SCHEMA app;
CREATE TABLE public.t (id int);
CREATE TABLE app.t (id int);
-- holder reader
BEGIN;
SELECT * FROM public.t;
-- migration
SET search_path = app;
DISCARD ALL;
ALTER TABLE t ADD COLUMN z int;
-- expect would_block at 3 behind reader
