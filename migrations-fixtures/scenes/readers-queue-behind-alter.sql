-- about the second migration waits for the first one, which waits for a reader
-- setup
CREATE TABLE orders (id int PRIMARY KEY);
-- holder reader
BEGIN;
SELECT * FROM orders;
-- holder deploy
ALTER TABLE orders ADD COLUMN note text;
-- migration
CREATE INDEX orders_by_id ON orders (id);
-- expect would_block at 1 behind deploy
