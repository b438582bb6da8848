DROP TABLE items, orders;
