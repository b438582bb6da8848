-- about each in its own transaction: neither waits for a reader's SELECT of before, the first one does
-- setup
CREATE TABLE t (id int);
-- holder reader
BEGIN;
SELECT * FROM t;
-- migration
ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT c;
-- expect would_block at 1 behind reader
