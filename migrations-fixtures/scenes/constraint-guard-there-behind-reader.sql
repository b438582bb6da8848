-- about A guard on information_schema.table_constraints that finds its constraint: nothing is altered
-- setup
CREATE TABLE orders (id int PRIMARY KEY);
-- holder app
BEGIN;
SELECT * FROM orders;
-- migration
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM information_schema.table_constraints
                   WHERE constraint_name = 'orders_pkey' AND table_name = 'orders') THEN
        ALTER TABLE orders ADD PRIMARY KEY (id);
    END IF;
END $$;
-- expect clear
