ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID;--> statement-breakpoint
DO $$ BEGIN ALTER TABLE products ADD COLUMN weight integer; END $$;--> statement-breakpoint
ALTER TYPE order_state ADD VALUE 'returned';
