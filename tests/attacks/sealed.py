"""What is sealed moved elsewhere, keys exchanged, erasure feigned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.store import tables as t
from engine.store.history import unseal_values
from engine.store.vault import seal, seal_json, unwrap
from tests.attacks.history import _cut, _swap
from tests.attacks.kit import Do, case
from tests.victim import RING, Victim


# -- what is sealed, moved elsewhere
def _swap_of_cases(table: sa.Table, column: str, key: str = "id") -> Do:
    def do(c: sa.Connection, v: Victim) -> str:
        _swap(table, column, table.c[key] == v.granted, table.c[key] == v.withdrawn, c)
        return case(v.granted)

    return do


def _swap_values(c: sa.Connection, v: Victim) -> str:
    """The sealed values of two commands of one case exchanged."""
    kept = t.event_value.c
    numbers = (
        c.execute(sa.select(kept.number).where(kept.stream == case(v.granted)).order_by(kept.number)).scalars().all()
    )
    one, two = ((kept.stream == case(v.granted)) & (kept.number == n) for n in (numbers[1], numbers[2]))
    _swap(t.event_value, "sealed", one, two, c)
    return f"{case(v.granted)} {numbers[1]}"


def _values_of_another_case(c: sa.Connection, v: Victim) -> str:
    kept = t.event_value.c
    one, two = ((kept.stream == case(n)) & (kept.number == 1) for n in (v.granted, v.withdrawn))
    _swap(t.event_value, "sealed", one, two, c)
    return f"{case(v.granted)} 1"


def _opened(c: sa.Connection, v: Victim) -> tuple[bytes, Any, dict[int, Any]]:
    """By somebody who holds the sealing key: the first values of a case."""
    wrapped = c.execute(sa.select(t.data_key.c.wrapped).where(t.data_key.c.id == v.granted)).scalar_one()
    key = unwrap(RING, v.granted, bytes(wrapped))
    kept = t.event_value.c
    row = c.execute(sa.select(t.event_value).where(kept.stream == case(v.granted)).order_by(kept.number)).all()[1]
    return key, row, unseal_values(key, row.stream, row.number, bytes(row.sealed))


def _reseal(c: sa.Connection, key: bytes, row: Any, opened: dict[int, Any]) -> str:
    kept = {str(n): [salt.hex(), values] for n, (salt, values) in opened.items()}
    sealed = seal_json(key, f"values:{row.stream}:{row.number}", kept)
    where = (t.event_value.c.stream == row.stream) & (t.event_value.c.number == row.number)
    c.execute(t.event_value.update().where(where).values(sealed=sealed))
    return f"{row.stream} {min(opened)}"


def _rewrite_values(c: sa.Connection, v: Victim) -> str:
    key, row, opened = _opened(c, v)
    number = min(opened)
    return _reseal(c, key, row, {**opened, number: (opened[number][0], {"answers": {"forged": True}})})


def _swap_salts(c: sa.Connection, v: Victim) -> str:
    key, row, opened = _opened(c, v)
    one, two = sorted(opened)[:2]
    return _reseal(
        c, key, row, {**opened, one: (opened[two][0], opened[one][1]), two: (opened[one][0], opened[two][1])}
    )


def _swap_within(c: sa.Connection, v: Victim) -> str:
    key, row, opened = _opened(c, v)
    one, two = sorted(opened)[:2]
    return _reseal(c, key, row, {**opened, one: opened[two], two: opened[one]})


def _own_key(c: sa.Connection, v: Victim) -> str:
    """A data key of the attacker's, wrapped under a sealing key of the attacker's, and a state sealed with it."""
    key = b"k" * 32
    c.execute(t.data_key.update().where(t.data_key.c.id == v.running).values(wrapped=seal(b"y" * 32, "key:x", key)))
    state = seal(key, f"state:{v.running}", b"{}")
    where = t.process_instance.c.id == v.running
    c.execute(t.process_instance.update().where(where).values(sealed_state=state))
    return case(v.running)


def _other_state(c: sa.Connection, v: Victim) -> str:
    """By somebody who holds the sealing key: the case goes on from another state."""
    wrapped = c.execute(sa.select(t.data_key.c.wrapped).where(t.data_key.c.id == v.running)).scalar_one()
    state = seal(unwrap(RING, v.running, bytes(wrapped)), f"state:{v.running}", b"{}")
    where = t.process_instance.c.id == v.running
    c.execute(t.process_instance.update().where(where).values(sealed_state=state))
    return case(v.running)


def _no_state(c: sa.Connection, v: Victim) -> str:
    where = t.process_instance.c.id == v.running
    c.execute(t.process_instance.update().where(where).values(sealed_state=None))
    return case(v.running)


def _destroy(**values: Any) -> Do:
    def do(c: sa.Connection, v: Victim) -> str:
        c.execute(t.data_key.update().where(t.data_key.c.id == v.granted).values(**values))
        return f"data_key {v.granted}"

    return do


def _erase_quietly(c: sa.Connection, v: Victim) -> str:
    """Key, values, papers' content: all as an erasure would leave it, but for the event."""
    at = datetime.fromisoformat("2026-12-01T00:00:00+00:00")
    c.execute(t.data_key.update().where(t.data_key.c.id == v.granted).values(wrapped=None, erased_at=at))
    c.execute(t.event_value.delete().where(t.event_value.c.stream == case(v.granted)))
    return f"data_key {v.granted}"


def _destroy_account_key(c: sa.Connection, v: Victim) -> str:
    c.execute(t.attachment.update().values(wrapped=None))
    return "attachment"


def _bring_back_key(c: sa.Connection, v: Victim) -> str:
    wrapped = c.execute(sa.select(t.data_key.c.wrapped).where(t.data_key.c.id == v.running)).scalar_one()
    c.execute(t.data_key.update().where(t.data_key.c.id == v.erased).values(wrapped=wrapped))
    return f"data_key {v.erased}"


def _not_erased(c: sa.Connection, v: Victim) -> str:
    """An erasure's event taken away: who destroyed it, and why, is to be forgotten."""
    where = (t.event.c.stream == case(v.erased)) & (t.event.c.kind == "case.erased")
    number = c.execute(sa.select(t.event.c.number).where(where)).scalar_one()
    _cut(c, case(v.erased), number - 1)
    return case(v.erased)


def _other_approver(c: sa.Connection, v: Victim) -> str:
    where = (t.event.c.stream == case(v.erased)) & (t.event.c.kind == "case.erased")
    number = c.execute(sa.select(t.event.c.number).where(where)).scalar_one()
    c.execute(t.event.update().where(where).values(actor_account=v.clerk, actor_name="somebody"))
    return f"{case(v.erased)} {number}"
