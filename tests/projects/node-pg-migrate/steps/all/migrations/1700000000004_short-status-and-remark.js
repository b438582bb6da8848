exports.up = (pgm) => {
  pgm.alterColumn('orders', 'status', { type: 'varchar(40)' });
  pgm.renameColumn('orders', 'note', 'remark');
};
