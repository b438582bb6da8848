exports.up = (pgm) => pgm.addColumn('orders', { total: { type: 'integer' } });
