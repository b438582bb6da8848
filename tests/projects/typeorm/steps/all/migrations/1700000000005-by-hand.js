module.exports = class ByHand1700000000005 {
  async up(runner) {
    await runner.query("ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID");
    await runner.query('DO $$ BEGIN ALTER TABLE products ADD COLUMN weight integer; END $$');
    await runner.query("ALTER TYPE order_state ADD VALUE 'returned'");
  }
};
