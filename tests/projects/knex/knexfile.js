module.exports = {
  client: 'pg',
  connection: { host: '{host}', port: {port}, user: '{user}', password: '{password}', database: '{database}' },
};
