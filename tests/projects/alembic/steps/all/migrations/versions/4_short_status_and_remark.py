import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade():
    op.alter_column("orders", "status", type_=sa.String(40))
    op.alter_column("orders", "note", new_column_name="remark")
