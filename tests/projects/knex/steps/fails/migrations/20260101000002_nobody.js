exports.up = (knex) => knex.schema.alterTable('nobody', (t) => t.integer('total'));
exports.down = () => {};
