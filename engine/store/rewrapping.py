"""Wraps data keys anew under the sealing key in use, batch by batch, beside the work that goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from engine.store import tables as t
from engine.store.vault import sealed_under, unwrap, wrap

if TYPE_CHECKING:
    from engine.store.store import Store

BATCH = 500


def wrapped_keys(store: Store) -> int:
    """How many keys lie wrapped in the database."""
    with store.reading() as reading:
        return sum(
            int(reading.execute(sa.select(sa.func.count()).where(table.c.wrapped.is_not(None))).scalar_one())
            for table in (t.data_key, t.attachment)
        )


def rewrap(store: Store, on_progress: Callable[[int], None]) -> int:
    """Wrap anew every key that is not under the sealing key in use; ``on_progress`` is told the keys looked at so far.

    Each batch is a transaction of its own. The data keys stay what they are: whoever holds one goes on.
    """
    changed = looked = 0
    for table in (t.data_key, t.attachment):
        place: Any = None
        while True:
            with store.transaction() as tx:
                found = sa.select(table.c.id, table.c.wrapped).where(table.c.wrapped.is_not(None))
                found = found.order_by(table.c.id).limit(BATCH).with_for_update()
                rows = tx.execute(found if place is None else found.where(table.c.id > place)).all()
                for row in rows:
                    if sealed_under(tx.keys, row.wrapped) != tx.keys.sealing_id:
                        anew = wrap(tx.keys, row.id, unwrap(tx.keys, row.id, row.wrapped))
                        tx.execute(table.update().where(table.c.id == row.id).values(wrapped=anew))
                        changed += 1
            if not rows:
                break
            place = rows[-1].id
            looked += len(rows)
            on_progress(looked)
    return changed
