-- A small shop, as the demo and the tests use it. The text of orders.note is what a backup spends
-- its time on: too large for the buffers between a server and a reader that stalls. What a backup
-- copies before it fits in them, so it is orders that it stalls in.
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    joined timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL
);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status text NOT NULL DEFAULT 'open',
    placed timestamptz NOT NULL DEFAULT now(),
    note text
);
CREATE TABLE order_items (
    order_id bigint NOT NULL REFERENCES orders,
    product_id bigint NOT NULL REFERENCES products,
    quantity int NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
CREATE INDEX orders_customer_id ON orders (customer_id);

INSERT INTO customers (email) SELECT 'customer' || n || '@example.com' FROM generate_series(1, 200) n;
INSERT INTO products (name, price) SELECT 'product ' || n, n * 1.5 FROM generate_series(1, 100) n;
INSERT INTO orders (customer_id, note)
SELECT n % 200 + 1, repeat(md5(n::text), 40) FROM generate_series(1, 5000) n;
INSERT INTO order_items SELECT n, n % 100 + 1, n % 7 + 1 FROM generate_series(1, 500) n;
ANALYZE;
