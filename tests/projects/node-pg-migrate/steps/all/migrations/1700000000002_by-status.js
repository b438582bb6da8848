exports.up = (pgm) => {
  pgm.noTransaction();
  pgm.createIndex('orders', 'status', { concurrently: true });
};
