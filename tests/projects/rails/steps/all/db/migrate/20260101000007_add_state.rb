class AddState < ActiveRecord::Migration[6.1]
  def up
    execute "ALTER TYPE order_state ADD VALUE 'returned'"
  end
end
