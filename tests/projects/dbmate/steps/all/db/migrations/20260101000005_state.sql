-- migrate:up transaction:false
ALTER TYPE order_state ADD VALUE 'returned';
-- migrate:down
