class RawSql < ActiveRecord::Migration[6.1]
  def up
    execute "ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID"
    execute <<~SQL
      DO $$
      BEGIN
        ALTER TABLE products ADD COLUMN weight integer;
      END $$
    SQL
  end
end
