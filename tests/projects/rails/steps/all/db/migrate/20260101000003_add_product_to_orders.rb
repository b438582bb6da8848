class AddProductToOrders < ActiveRecord::Migration[6.1]
  def change
    add_column :orders, :product_id, :bigint
    add_foreign_key :orders, :products
  end
end
