const { DataSource } = require('typeorm');

module.exports = new DataSource({
  type: 'postgres', host: '{host}', port: {port}, username: '{user}', password: '{password}', database: '{database}',
  migrations: ['migrations/*.js'], migrationsTransactionMode: 'each',
});
