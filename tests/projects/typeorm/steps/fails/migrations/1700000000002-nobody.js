module.exports = class Nobody1700000000002 {
  async up(runner) {
    await runner.query('ALTER TABLE nobody ADD COLUMN total integer');
  }
};
