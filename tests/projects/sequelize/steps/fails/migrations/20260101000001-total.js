module.exports = {
  up: (queryInterface, { INTEGER }) => queryInterface.addColumn('orders', 'total', { type: INTEGER }),
};
