"""Messages are kept until somebody waits for them; a key starts one case; answers follow the case's key."""

import sqlalchemy as sa
from alembic import op

from engine.store.columns import Moment

revision = "0004"
down_revision = "0003"


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def upgrade() -> None:
    for column in (
        sa.Column("number", sa.Uuid),
        sa.Column("name", sa.Text),
        sa.Column("key", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("body", sa.LargeBinary),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("account", sa.Uuid),
        sa.Column("from_case", sa.Uuid),
        sa.Column("case_id", sa.Uuid),
        sa.Column("expires_at", Moment),
        sa.Column("code", sa.Text),
    ):
        op.add_column("message", column)
    op.create_index("message_number_ix", "message", ["number"], unique=True)
    _partial_index("message_kept_ix", "message", ["name", "key", "number"], "status = 'kept'")
    _partial_index("message_expires_at_ix", "message", ["expires_at"], "status = 'kept'")
    _partial_index("message_open_ix", "message", ["number"], "status IN ('kept', 'expired', 'failed')")
    op.create_table(
        "message_start",
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("process", "name", "key", name="message_start_pk"),
    )
    _partial_index("subscription_signal_ix", "subscription", ["name", "created_at"], "kind = 'signal'")
    op.add_column("idempotency", sa.Column("case_id", sa.Uuid))
    op.create_index("idempotency_expires_at_ix", "idempotency", ["expires_at"])
