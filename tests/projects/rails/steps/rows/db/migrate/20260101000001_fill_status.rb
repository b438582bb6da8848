class FillStatus < ActiveRecord::Migration[6.1]
  disable_ddl_transaction!

  class Order < ActiveRecord::Base
  end

  def up
    add_column :orders, :total, :integer
    Order.in_batches(of: 1000) { |batch| batch.update_all(total: 0) }
  end
end
