SET statement_timeout = 0;

--bun:split

CREATE INDEX CONCURRENTLY orders_status ON orders (status);
