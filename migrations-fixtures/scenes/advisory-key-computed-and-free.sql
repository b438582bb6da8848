-- about the key of an advisory lock is computed, and nobody holds one (cases/migrations/23, 5)
-- setup
CREATE TABLE t (id int);
-- migration
SELECT pg_advisory_lock(hashtext('migrations'));
ALTER TABLE t ADD COLUMN a int;
-- expect clear
