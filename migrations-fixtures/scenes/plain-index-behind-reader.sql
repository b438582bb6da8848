-- about SHARE and ACCESS SHARE do not conflict
-- setup
CREATE TABLE orders (id int PRIMARY KEY);
-- holder reader
BEGIN;
SELECT * FROM orders;
-- migration
CREATE INDEX ON orders (id);
-- expect clear
