-- about an ALTER TABLE waits for an open transaction that only reads
-- setup
CREATE TABLE orders (id int PRIMARY KEY);
-- holder reader
BEGIN;
SELECT * FROM orders;
-- migration
CREATE TABLE notes (id int);
ALTER TABLE orders ADD COLUMN note text;
-- expect would_block at 2 behind reader
