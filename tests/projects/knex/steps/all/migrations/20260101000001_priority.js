exports.up = (knex) => knex.schema.alterTable('orders', (t) => t.integer('priority').notNullable().defaultTo(0));
exports.down = () => {};
