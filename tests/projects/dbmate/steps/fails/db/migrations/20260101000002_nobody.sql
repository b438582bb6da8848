-- migrate:up
ALTER TABLE nobody ADD COLUMN total integer;
-- migrate:down
