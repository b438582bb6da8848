-- about A function whose body is stored parsed reads a table that is locked
-- setup
CREATE TABLE rates (id int, rate int);
CREATE TABLE orders (id int, rate int);
INSERT INTO orders VALUES (1, 1);
CREATE FUNCTION rate_of(int) RETURNS int LANGUAGE sql STABLE BEGIN ATOMIC SELECT rate FROM rates WHERE id = $1; END;
-- holder app
BEGIN;
LOCK TABLE rates;
-- migration
UPDATE orders SET rate = rate_of(id);
-- expect would_block at 1 behind app
