import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade():
    op.add_column("orders", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
