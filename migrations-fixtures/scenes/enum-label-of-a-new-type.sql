-- about until 16 a label that is added must be committed, even that of a type of the same transaction
-- until 16
-- setup
CREATE TABLE t (id int);
-- migration
BEGIN;
CREATE TYPE fresh AS ENUM ('a');
ALTER TYPE fresh ADD VALUE 'b';
CREATE TABLE f (x fresh);
INSERT INTO f VALUES ('b');
COMMIT;
-- expect would_fail
