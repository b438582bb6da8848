exports.config = { transaction: false };
exports.up = (knex) => knex.raw('CREATE INDEX CONCURRENTLY by_status ON orders (status)');
exports.down = () => {};
