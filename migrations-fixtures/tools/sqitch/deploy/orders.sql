-- Deploy shop:orders to pg
BEGIN;
CREATE TABLE orders (id bigint PRIMARY KEY);
COMMIT;
