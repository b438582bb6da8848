ALTER TABLE orders ADD COLUMN product_id bigint REFERENCES products;
ALTER TABLE orders ALTER COLUMN status TYPE varchar(40);
ALTER TABLE orders RENAME COLUMN note TO remark;
