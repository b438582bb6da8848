const { TableColumn } = require('typeorm');

module.exports = class Total1700000000001 {
  async up(runner) {
    await runner.addColumn('orders', new TableColumn({ name: 'total', type: 'integer', isNullable: true }));
  }
};
