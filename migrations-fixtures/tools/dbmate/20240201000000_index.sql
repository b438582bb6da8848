-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY orders_id ON orders (id);

-- migrate:down transaction:false
DROP INDEX CONCURRENTLY orders_id;
