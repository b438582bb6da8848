-- about the size of a table is asked for: it is opened, and nothing else (cases/migrations/23, 5)
-- setup
CREATE TABLE o (id int PRIMARY KEY);
-- holder reader
BEGIN;
SELECT * FROM o;
-- migration
SELECT pg_relation_size('o'), pg_total_relation_size('public.o'::regclass);
-- expect clear
