-- about A loop over constants runs a text for each: the second table has a reader
-- setup
CREATE TABLE users (id int);
CREATE TABLE orders (id int);
-- holder app
BEGIN;
SELECT * FROM orders;
-- migration
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['users', 'orders'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN added int', name);
    END LOOP;
END $$;
-- expect would_block at 1 behind app
