exports.up = async (pgm) => {
  const rows = await pgm.db.select('SELECT id FROM orders WHERE status IS NULL');
  for (const row of rows) await pgm.db.query('UPDATE orders SET status = $1 WHERE id = $2', ['open', row.id]);
  pgm.addColumn('orders', { total: { type: 'integer' } });
};
