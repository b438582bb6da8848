-- about an ordinary writer of another table is no doubt for a schema change
-- setup
CREATE TABLE orders (id int);
CREATE TABLE items (id int);
-- holder writer
BEGIN;
INSERT INTO items VALUES (1);
-- migration
ALTER TABLE orders ADD COLUMN note text;
GRANT SELECT ON orders TO PUBLIC;
CREATE TABLE more (id int);
-- expect clear
