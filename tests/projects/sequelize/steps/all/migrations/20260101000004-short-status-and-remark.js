module.exports = {
  up: async (queryInterface, { STRING }) => {
    await queryInterface.changeColumn('orders', 'status', { type: STRING(40), allowNull: false, defaultValue: 'open' });
    await queryInterface.renameColumn('orders', 'note', 'remark');
  },
};
