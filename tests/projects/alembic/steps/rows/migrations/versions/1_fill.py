import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade():
    op.add_column("orders", sa.Column("total", sa.Integer()))
    orders = sa.table("orders", sa.column("id"), sa.column("total"))
    connection = op.get_bind()
    for (number,) in connection.execute(sa.select(orders.c.id).where(orders.c.total.is_(None))).all():
        connection.execute(orders.update().where(orders.c.id == number).values(total=0))
