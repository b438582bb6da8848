-- about the size of a table is asked for while it is locked
-- setup
CREATE TABLE o (id int PRIMARY KEY);
-- holder locker
BEGIN;
LOCK TABLE o IN ACCESS EXCLUSIVE MODE;
-- migration
SELECT pg_size_pretty(pg_total_relation_size('o'));
-- expect would_block at 1 behind locker
