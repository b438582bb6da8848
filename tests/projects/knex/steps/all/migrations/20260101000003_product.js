exports.up = (knex) => knex.schema.alterTable('orders', (t) => {
  t.bigInteger('product_id').references('products.id');
});
exports.down = () => {};
