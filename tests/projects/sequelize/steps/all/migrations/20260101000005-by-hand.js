module.exports = {
  up: async (queryInterface) => {
    const run = (sql) => queryInterface.sequelize.query(sql);
    await run("ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID");
    await run('DO $$ BEGIN ALTER TABLE products ADD COLUMN weight integer; END $$');
    await run("ALTER TYPE order_state ADD VALUE 'returned'");
  },
};
