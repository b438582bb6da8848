class AddTotalToNobody < ActiveRecord::Migration[6.1]
  def change
    add_column :nobody, :total, :integer
  end
end
