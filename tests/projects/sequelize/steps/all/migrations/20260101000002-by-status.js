module.exports = {
  up: (queryInterface) => queryInterface.addIndex('orders', ['status'], { name: 'by_status', concurrently: true }),
};
