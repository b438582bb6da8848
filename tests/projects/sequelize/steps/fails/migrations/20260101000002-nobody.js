module.exports = {
  up: (queryInterface, { INTEGER }) => queryInterface.addColumn('nobody', 'total', { type: INTEGER }),
};
