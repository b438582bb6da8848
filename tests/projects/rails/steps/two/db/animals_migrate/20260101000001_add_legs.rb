class AddLegs < ActiveRecord::Migration[6.1]
  def change
    add_column :products, :legs, :integer
  end
end
