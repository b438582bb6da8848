-- about the key of an advisory lock is computed, and another session holds one: it may be the same (cases/migrations/23, 5)
-- setup
CREATE TABLE t (id int);
-- holder other
BEGIN;
SELECT pg_advisory_xact_lock(42);
-- migration
SELECT pg_advisory_lock(hashtext('migrations'));
-- expect cannot_tell
