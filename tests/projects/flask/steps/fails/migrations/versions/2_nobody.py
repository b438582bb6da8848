import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade():
    op.add_column("nobody", sa.Column("total", sa.Integer()))
