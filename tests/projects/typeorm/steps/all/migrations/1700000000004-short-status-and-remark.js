module.exports = class ShortStatusAndRemark1700000000004 {
  async up(runner) {
    await runner.query('ALTER TABLE orders ALTER COLUMN status TYPE varchar(40)');
    await runner.renameColumn('orders', 'note', 'remark');
  }
};
