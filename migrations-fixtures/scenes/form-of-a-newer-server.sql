-- about the grammar that pgguard reads with is the newest one's; an older server refuses the form (cases/migrations/08, 4)
-- until 17
-- setup
CREATE TABLE t (a int);
-- migration
ALTER TABLE t ADD COLUMN b int GENERATED ALWAYS AS (a * 2) VIRTUAL;
-- expect would_fail
