-- about NOT ENFORCED and NOT NULL as a constraint came with 18 (cases/migrations/08, 4)
-- until 17
-- setup
CREATE TABLE t (a int);
-- migration
CREATE TABLE u (a int CHECK (a > 0) NOT ENFORCED);
ALTER TABLE t ADD CONSTRAINT has_a NOT NULL a NOT VALID;
-- expect would_fail
