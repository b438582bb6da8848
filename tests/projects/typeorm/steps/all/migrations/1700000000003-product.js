const { TableColumn, TableForeignKey } = require('typeorm');

module.exports = class Product1700000000003 {
  async up(runner) {
    await runner.addColumn('orders', new TableColumn({ name: 'product_id', type: 'bigint', isNullable: true }));
    await runner.createForeignKey('orders', new TableForeignKey({
      columnNames: ['product_id'], referencedTableName: 'products', referencedColumnNames: ['id'],
    }));
  }
};
