exports.up = (pgm) => pgm.addColumn('nobody', { total: { type: 'integer' } });
