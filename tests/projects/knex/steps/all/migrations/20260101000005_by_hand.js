exports.up = async (knex) => {
  await knex.raw("ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID");
  await knex.raw('DO $$ BEGIN ALTER TABLE products ADD COLUMN weight integer; END $$');
  await knex.raw("ALTER TYPE order_state ADD VALUE 'returned'");
};
exports.down = () => {};
