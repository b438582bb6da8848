-- about CREATE INDEX CONCURRENTLY cannot run in a transaction block
-- setup
CREATE TABLE t (id int);
-- migration
BEGIN;
CREATE INDEX CONCURRENTLY ON t (id);
COMMIT;
-- expect would_fail
