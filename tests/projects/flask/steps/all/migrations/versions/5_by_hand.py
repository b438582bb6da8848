from alembic import op

revision = "5"
down_revision = "4"


def upgrade():
    op.execute("ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID")
    op.execute("DO $$ BEGIN ALTER TABLE products ADD COLUMN weight integer; END $$")
    op.execute("ALTER TYPE order_state ADD VALUE 'returned'")
