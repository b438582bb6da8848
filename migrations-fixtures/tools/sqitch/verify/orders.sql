SELECT id FROM orders WHERE false;
