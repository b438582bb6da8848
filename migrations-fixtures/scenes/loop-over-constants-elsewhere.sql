-- about A loop over constants that does not reach the table with the reader
-- setup
CREATE TABLE users (id int);
CREATE TABLE orders (id int);
CREATE TABLE items (id int);
-- holder app
BEGIN;
SELECT * FROM items;
-- migration
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['users', 'orders'] LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN added int', name);
    END LOOP;
END $$;
-- expect clear
