-- about VACUUM FULL of a partitioned table locks the table itself (cases/migrations/24)
-- setup
CREATE TABLE pt (a int) PARTITION BY LIST (a);
CREATE TABLE pt_1 PARTITION OF pt FOR VALUES IN (1);
-- holder reader
BEGIN;
LOCK TABLE ONLY pt IN ACCESS SHARE MODE;
-- migration
VACUUM FULL pt;
-- expect would_block at 1 behind reader
