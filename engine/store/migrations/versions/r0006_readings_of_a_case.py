"""Readings are found by the case they were of."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    where = sa.text("kind = 'case.read'")
    ops = {"detail": "text_pattern_ops"}
    op.create_index(
        "event_read_ix", "event", ["detail"], postgresql_ops=ops, postgresql_where=where, sqlite_where=where
    )
