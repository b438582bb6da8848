-- +migrate Up
ALTER TABLE orders ADD COLUMN total numeric;
-- +migrate Down
ALTER TABLE orders DROP COLUMN total;
