"""A task may be delegated (its owner stays its owner) and urged."""

import sqlalchemy as sa
from alembic import op

from engine.store.columns import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("task", sa.Column("owner", sa.Uuid, nullable=True))
    op.add_column("task", sa.Column("owner_name", sa.Text, nullable=True))
    op.add_column("task", sa.Column("delegation", sa.Text, nullable=True))
    op.add_column("task", sa.Column("urged_at", Moment, nullable=True))
    where = sa.text("status = 'open' AND owner IS NOT NULL")
    op.create_index("task_owner_ix", "task", ["owner", "due_at", "id"], postgresql_where=where, sqlite_where=where)
