-- Instant by itself: no row is rewritten. But it needs the table for itself.
ALTER TABLE orders ADD COLUMN total numeric(10, 2);
