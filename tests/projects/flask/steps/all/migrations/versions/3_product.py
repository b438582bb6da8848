import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade():
    op.add_column("orders", sa.Column("product_id", sa.BigInteger()))
    op.create_foreign_key("orders_product", "orders", "products", ["product_id"], ["id"])
