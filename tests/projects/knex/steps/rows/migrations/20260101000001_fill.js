exports.up = async (knex) => {
  await knex.schema.alterTable('orders', (t) => t.integer('total'));
  const rows = await knex('orders').whereNull('total').select('id');
  for (const row of rows) await knex('orders').where({ id: row.id }).update({ total: 0 });
};
exports.down = () => {};
