exports.up = (knex) => knex.schema.alterTable('orders', (t) => t.integer('total'));
exports.down = () => {};
