class AddPriorityToOrders < ActiveRecord::Migration[6.1]
  def change
    add_column :orders, :priority, :integer, default: 0, null: false
  end
end
