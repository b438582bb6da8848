exports.up = (pgm) => pgm.addColumn('orders', { priority: { type: 'integer', notNull: true, default: 0 } });
