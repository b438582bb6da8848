-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY by_status ON orders (status);
-- migrate:down
