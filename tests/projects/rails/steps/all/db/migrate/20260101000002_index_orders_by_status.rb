class IndexOrdersByStatus < ActiveRecord::Migration[6.1]
  disable_ddl_transaction!

  def change
    add_index :orders, :status, algorithm: :concurrently
  end
end
