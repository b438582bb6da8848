module.exports = {
  up: async (queryInterface, { BIGINT }) => {
    await queryInterface.sequelize.transaction(async (transaction) => {
      await queryInterface.addColumn('orders', 'product_id', { type: BIGINT }, { transaction });
      await queryInterface.addConstraint('orders', {
        fields: ['product_id'], type: 'foreign key', name: 'orders_product',
        references: { table: 'products', field: 'id' }, transaction,
      });
    });
  },
};
