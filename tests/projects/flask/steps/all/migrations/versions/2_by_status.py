from alembic import op

revision = "2"
down_revision = "1"


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("by_status", "orders", ["status"], postgresql_concurrently=True)
