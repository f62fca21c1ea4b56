"""The tables of checkpoints: what was signed, and where each stream stood then."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from engine.store.columns import Moment
from engine.store.tables import metadata

#: A signed summary of where streams stood. ``record`` is the text that is signed; the rest follows its copy outside.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("copied_at", Moment),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Moment),
    Column("code", Text),
)

checkpoint_leaf = Table(
    "checkpoint_leaf",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("events", Integer, primary_key=True, autoincrement=False),
    Column("head", LargeBinary, nullable=False),
    Column("checkpoint", Integer, ForeignKey("checkpoint.number"), nullable=False),
    Index("checkpoint_leaf_checkpoint_ix", "checkpoint"),
)
