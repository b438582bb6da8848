CREATE INDEX CONCURRENTLY items_id ON items (id);
