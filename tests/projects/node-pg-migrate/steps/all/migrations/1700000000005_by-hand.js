exports.up = (pgm) => {
  pgm.sql("ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID");
  pgm.sql('DO $$ BEGIN ALTER TABLE products ADD COLUMN weight integer; END $$');
  pgm.addTypeValue('order_state', 'returned');
};
