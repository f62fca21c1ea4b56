"""Events tell of the rows their command wrote; checkpoints."""

import sqlalchemy as sa
from alembic import op

from engine.store.columns import Moment

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("event", sa.Column("rows", sa.LargeBinary, nullable=True))
    op.create_table(
        "checkpoint",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("made_at", Moment, nullable=False),
        sa.Column("copied_at", Moment, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("retry_at", Moment, nullable=True),
        sa.Column("code", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("number", name="checkpoint_pk"),
    )
    op.create_table(
        "checkpoint_leaf",
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("events", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sa.Column("checkpoint", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["checkpoint"], ["checkpoint.number"], name="checkpoint_leaf_checkpoint_fk"),
        sa.PrimaryKeyConstraint("stream", "events", name="checkpoint_leaf_pk"),
    )
    op.create_index("checkpoint_leaf_checkpoint_ix", "checkpoint_leaf", ["checkpoint"])
