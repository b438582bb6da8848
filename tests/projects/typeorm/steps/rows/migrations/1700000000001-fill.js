module.exports = class Fill1700000000001 {
  async up(runner) {
    await runner.query('ALTER TABLE orders ADD COLUMN total integer');
    const rows = await runner.query('SELECT id FROM orders WHERE total IS NULL');
    for (const row of rows) await runner.query('UPDATE orders SET total = 0 WHERE id = $1', [row.id]);
  }
};
