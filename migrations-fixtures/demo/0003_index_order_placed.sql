-- The careful way to make an index, as everybody says.
CREATE INDEX CONCURRENTLY orders_placed ON orders (placed);
