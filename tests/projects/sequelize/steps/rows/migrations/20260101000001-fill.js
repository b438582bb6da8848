module.exports = {
  up: async (queryInterface, { INTEGER, QueryTypes }) => {
    await queryInterface.addColumn('orders', 'total', { type: INTEGER });
    const [rows] = await queryInterface.sequelize.query('SELECT id FROM orders WHERE total IS NULL');
    for (const row of rows) await queryInterface.bulkUpdate('orders', { total: 0 }, { id: row.id });
  },
};
