class ChangeQuantity < ActiveRecord::Migration[6.1]
  def up
    change_column :order_items, :quantity, :bigint
  end
end
