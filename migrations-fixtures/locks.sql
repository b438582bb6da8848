-- What docs/locks.md tells: a small shop, then statements, each with a title and, after `safer:`, what to do instead.
CREATE TABLE customers (id bigint PRIMARY KEY, email text, name text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, state text, total int, placed timestamp);
CREATE INDEX orders_state ON orders (state);
CREATE TABLE lines (order_id bigint REFERENCES orders, no int, PRIMARY KEY (order_id, no));
CREATE TABLE events (id bigint, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 (id bigint, at date NOT NULL);
CREATE VIEW open_orders AS SELECT id, customer_id FROM orders WHERE state = 'open';
CREATE TYPE mood AS ENUM ('calm');
CREATE SEQUENCE numbers;
CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;
-- forms
-- Add a column
-- safer: it is instant. Set lock_timeout, so that it gives up instead of keeping others waiting behind it.
ALTER TABLE orders ADD COLUMN note text;
-- Add a column with a constant default
-- safer: it is instant since Postgres 11: the default is kept in the catalog. Set lock_timeout.
ALTER TABLE orders ADD COLUMN priority int NOT NULL DEFAULT 0;
-- Add a column with a default that differs from row to row
-- safer: add the column without a default, set the default for new rows, and fill the old rows in batches.
ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid();
-- Add a generated column
-- safer: a rewrite that nothing avoids; add a plain column, fill it in batches, and keep it by a trigger.
ALTER TABLE orders ADD COLUMN cents bigint GENERATED ALWAYS AS (total * 100) STORED;
-- Drop a column
-- safer: it is instant. Deploy code that does not use the column first. Set lock_timeout.
ALTER TABLE orders DROP COLUMN placed;
-- Rename a column
-- safer: it is instant, but old code fails at once: add a column and copy, or rename behind a view.
ALTER TABLE orders RENAME COLUMN state TO status;
-- Change a type, with a rewrite
-- safer: add a column of the new type, keep both by a trigger, fill in batches, then swap their names.
ALTER TABLE orders ALTER COLUMN total TYPE bigint;
-- Change a type, without one
-- safer: it is instant: text has no length to check. Set lock_timeout.
ALTER TABLE customers ALTER COLUMN name TYPE varchar;
-- SET NOT NULL
-- safer: ADD CHECK (email IS NOT NULL) NOT VALID, then VALIDATE CONSTRAINT, then SET NOT NULL (no scan), then drop the CHECK.
ALTER TABLE customers ALTER COLUMN email SET NOT NULL;
-- SET DEFAULT
-- safer: it is instant. Set lock_timeout.
ALTER TABLE orders ALTER COLUMN state SET DEFAULT 'new';
-- Add a foreign key
-- safer: ADD … NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.
ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (customer_id) REFERENCES customers;
-- Add a foreign key, NOT VALID
-- safer: this is the safer form. It still keeps out writes of both tables for a moment.
ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;
-- Validate a foreign key
-- safer: this is the safer form: reads and writes go on during the scan.
ALTER TABLE orders VALIDATE CONSTRAINT orders_customer;
-- Add a CHECK
-- safer: ADD … NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.
ALTER TABLE orders ADD CONSTRAINT positive CHECK (total >= 0);
-- Validate a CHECK
-- safer: this is the safer form: reads and writes go on during the scan.
ALTER TABLE orders VALIDATE CONSTRAINT orders_total;
-- Add a UNIQUE constraint
-- safer: CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … UNIQUE USING INDEX.
ALTER TABLE customers ADD CONSTRAINT customers_email UNIQUE (email);
-- Drop a constraint
-- safer: it is instant. Dropping a foreign key locks the referenced table too. Set lock_timeout.
ALTER TABLE lines DROP CONSTRAINT lines_order_id_fkey;
-- Create an index
-- safer: CREATE INDEX CONCURRENTLY keeps nobody out. It waits for every older snapshot, a backup's included.
CREATE INDEX ON orders (placed);
-- Drop an index
-- safer: DROP INDEX CONCURRENTLY, which waits for those who use the table, and keeps nobody waiting behind it.
DROP INDEX orders_state;
-- Build an index again
-- safer: REINDEX INDEX CONCURRENTLY.
REINDEX INDEX orders_state;
-- Create a table with a foreign key
-- safer: it keeps out writes of the referenced table for a moment. Set lock_timeout.
CREATE TABLE notes (id bigint PRIMARY KEY, order_id bigint REFERENCES orders);
-- Drop a table
-- safer: foreign keys of it lock the referenced tables too. Set lock_timeout.
DROP TABLE lines;
-- Truncate
-- safer: DELETE in batches, or a new table and a change of names.
TRUNCATE lines;
-- Rename a table
-- safer: it is instant, but old code fails at once: leave a view of the old name.
ALTER TABLE orders RENAME TO purchases;
-- Attach a partition
-- safer: a CHECK on the new partition that proves its bounds, validated before, saves the scan.
ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
-- Detach a partition
-- safer: DETACH PARTITION … CONCURRENTLY.
ALTER TABLE events DETACH PARTITION events_2025;
-- Create a partition
-- safer: CREATE TABLE … (LIKE …), then ATTACH PARTITION, which keeps out nobody from the parent's other partitions.
CREATE TABLE events_2027 PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
-- Create a trigger
-- safer: it is instant. Set lock_timeout.
CREATE TRIGGER note BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noop();
-- Replace a view
-- safer: it is instant, and the tables are only read. Set lock_timeout.
CREATE OR REPLACE VIEW open_orders AS SELECT id, customer_id FROM orders WHERE state = 'new';
-- Enable row security
-- safer: it is instant. Set lock_timeout.
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
-- Grant
-- safer: no lock on the table is taken, only one on its row in the catalog.
GRANT SELECT ON orders TO PUBLIC;
-- Comment
-- safer: vacuum and other schema changes wait for it, and no query.
COMMENT ON TABLE orders IS 'what was bought';
-- Change rows
-- safer: in batches, each in a transaction of its own; rows stay locked until its end.
UPDATE orders SET state = 'closed';
-- Rewrite a table
-- safer: pg_repack, or pg_squeeze. Plain VACUUM keeps nobody out, and CLUSTER is the same as this.
CLUSTER orders USING orders_pkey;
