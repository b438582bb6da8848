-- migrate:up
ALTER TABLE orders ADD COLUMN priority integer NOT NULL DEFAULT 0;
-- migrate:down
