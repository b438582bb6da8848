exports.up = (pgm) => pgm.addColumn('orders', { product_id: { type: 'bigint', references: 'products' } });
