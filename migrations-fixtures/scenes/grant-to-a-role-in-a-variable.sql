-- about Who gets a right is only known when it runs; no lock depends on it, and GRANT waits for no reader
-- setup
CREATE TABLE orders (id int);
-- holder app
BEGIN;
SELECT * FROM orders;
-- migration
DO $$ DECLARE role_name text := coalesce(current_setting('app.role', true), 'postgres'); BEGIN
    EXECUTE 'GRANT SELECT ON orders TO ' || role_name;
END $$;
-- expect clear
