"""A task may be a signature asked of one person (``assignee``) at another work item (``signs``)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("task", sa.Column("signing", sa.Text, nullable=True))
    op.add_column("task", sa.Column("signs", sa.Integer, nullable=True))
    op.add_column("task", sa.Column("assignee", sa.Uuid, nullable=True))
    where = sa.text("status = 'open' AND assignee IS NOT NULL")
    columns = ["assignee", "due_at", "id"]
    op.create_index("task_assignee_ix", "task", columns, postgresql_where=where, sqlite_where=where)
