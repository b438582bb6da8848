module.exports = class ByStatus1700000000002 {
  transaction = false;

  async up(runner) {
    await runner.query('CREATE INDEX CONCURRENTLY by_status ON orders (status)');
  }
};
