exports.up = async (knex) => {
  await knex.schema.alterTable('orders', (t) => t.string('status', 40).notNullable().defaultTo('open').alter());
  await knex.schema.alterTable('orders', (t) => t.renameColumn('note', 'remark'));
};
exports.down = () => {};
