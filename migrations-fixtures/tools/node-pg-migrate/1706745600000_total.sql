-- Down Migration
ALTER TABLE orders DROP COLUMN total;

-- Up Migration
ALTER TABLE orders ADD COLUMN total numeric;
