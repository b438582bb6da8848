ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID;
DO $$ BEGIN ALTER TABLE products ADD COLUMN weight integer; END $$;
