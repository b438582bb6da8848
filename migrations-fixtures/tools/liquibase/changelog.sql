--liquibase formatted sql

--changeset anna:1
CREATE TABLE orders (id bigint PRIMARY KEY);
--rollback DROP TABLE orders;

--changeset anna:2 runInTransaction:false
CREATE INDEX CONCURRENTLY orders_id ON orders (id);
