const { TableColumn } = require('typeorm');

module.exports = class Priority1700000000001 {
  async up(runner) {
    await runner.addColumn('orders', new TableColumn({ name: 'priority', type: 'integer', default: 0 }));
  }
};
