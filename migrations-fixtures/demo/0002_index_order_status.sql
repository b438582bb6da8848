-- Keeps writers out while it builds, but no reader, and so no backup either.
CREATE INDEX orders_status ON orders (status);
