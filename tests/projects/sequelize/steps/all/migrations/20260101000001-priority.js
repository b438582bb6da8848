module.exports = {
  up: (queryInterface, { INTEGER }) =>
    queryInterface.addColumn('orders', 'priority', { type: INTEGER, allowNull: false, defaultValue: 0 }),
};
