module.exports = {
  dialect: 'postgresql',
  out: './drizzle',
  dbCredentials: { url: 'postgres://{user}:{password}@{host}:{port}/{database}' },
};
