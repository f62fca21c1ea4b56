"""Events in another order, in another stream, cut off, forged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from engine.model import Event
from engine.store import tables as t
from engine.store.history import GENESIS, Command, Head, canonical, write
from engine.store.vault import Keys, link
from tests.attacks.kit import FOREIGN, Do, case
from tests.victim import Victim


# -- events in another order, in another stream, forged
def _swap(table: sa.Table, column: str, one: sa.ColumnElement[bool], two: sa.ColumnElement[bool], c: Any) -> None:
    """Exchange a column between two rows."""
    values = [c.execute(sa.select(table.c[column]).where(where)).scalars().first() for where in (one, two)]
    for where, value in ((one, values[1]), (two, values[0])):
        c.execute(table.update().where(where).values({column: value}))


def _at(stream: str, number: int) -> sa.ColumnElement[bool]:
    return (t.event.c.stream == stream) & (t.event.c.number == number)


def _reorder(c: sa.Connection, v: Victim) -> str:
    for old, new in ((5, -5), (6, 5), (-5, 6)):
        c.execute(t.event.update().where(_at(case(v.granted), old)).values(number=new))
    return f"{case(v.granted)} 5"


def _insert_between(c: sa.Connection, v: Victim) -> str:
    stream = case(v.granted)
    numbers = c.execute(sa.select(t.event.c.number).where(t.event.c.stream == stream, t.event.c.number >= 5)).scalars()
    for number in sorted(numbers, reverse=True):
        c.execute(t.event.update().where(_at(stream, number)).values(number=number + 1))
    row = c.execute(sa.select(t.event).where(_at(stream, 4))).one()._asdict()
    c.execute(t.event.insert(), {**row, "number": 5})
    return f"{stream} 5"


def _swap_cases(c: sa.Connection, v: Victim) -> str:
    for table in (t.event, t.event_value):
        column = table.c.stream
        for old, new in (
            (case(v.granted), "case:x"),
            (case(v.withdrawn), case(v.granted)),
            ("case:x", case(v.withdrawn)),
        ):
            c.execute(table.update().where(column == old).values(stream=new))
    return f"{case(v.granted)} 1"


def _cut(c: sa.Connection, stream: str, last: int) -> None:
    """The stream ends at ``last``, and its head says so."""
    c.execute(t.event.delete().where(t.event.c.stream == stream, t.event.c.number > last))
    c.execute(t.event_value.delete().where(t.event_value.c.stream == stream, t.event_value.c.number > last))
    row = c.execute(sa.select(t.event).where(_at(stream, last))).one_or_none()
    table, where = (t.stream_head, t.stream_head.c.stream == stream)
    if stream.startswith("case:"):
        table, where = t.process_instance, t.process_instance.c.id == UUID(stream[5:])
    if row is None:
        c.execute(table.delete().where(where))
    else:
        c.execute(table.update().where(where).values(events=last, head=row.hash, last_at=row.recorded_at))


def _cut_refusal(c: sa.Connection, v: Victim) -> str:
    """A refused attempt and all after it taken away, the rows left as they are."""
    refused = sa.select(t.event.c.number).where(
        t.event.c.stream == case(v.running), t.event.c.kind == "attempt.refused"
    )
    number = c.execute(refused.order_by(t.event.c.number)).scalars().first()
    assert number is not None
    _cut(c, case(v.running), number - 1)
    return case(v.running)


def _cut_stream(name: str) -> Do:
    def do(c: sa.Connection, v: Victim) -> str:
        _cut(c, name, 0)
        return name

    return do


def _cut_clock(c: sa.Connection, v: Victim) -> str:
    _cut(c, "clock:", 0)
    return "clock 1"


def _forged(keys: Keys, key_id: str) -> Do:
    """A continuation of the running case, its head moved, signed with a key under a key's name."""

    def do(c: sa.Connection, v: Victim) -> str:
        signing = Keys(chain=keys.chain_keys()[key_id], sealing=keys.sealing, chain_id=key_id)
        row = c.execute(sa.select(t.process_instance).where(t.process_instance.c.id == v.running)).one()
        head = Head(stream=case(v.running), events=row.events, hash=bytes(row.head))
        at = row.last_at + timedelta(days=3)
        made = write(
            signing, b"", head, [Event(kind="attempt.refused", input=True)], Command(id=uuid4(), recorded_at=at)
        )
        c.execute(t.event.insert(), made.rows)
        where = t.process_instance.c.id == v.running
        c.execute(
            t.process_instance.update().where(where).values(events=row.events + 1, head=made.head.hash, last_at=at)
        )
        return f"{case(v.running)} {row.events + 1}"

    return do


def _rehash(c: sa.Connection, v: Victim) -> str:
    """One event changed and everything after it chained anew, with a key of the attacker's."""
    stream, previous = case(v.withdrawn), GENESIS
    for row in c.execute(sa.select(t.event).where(t.event.c.stream == stream).order_by(t.event.c.number)).all():
        facts = row._asdict() | ({"actor_name": "李四"} if row.number == 1 else {}) | {"previous": previous}
        facts["hash"] = previous = link(FOREIGN.chain, previous, canonical(facts))
        c.execute(t.event.update().where(_at(stream, row.number)).values(facts))
    c.execute(t.process_instance.update().where(t.process_instance.c.id == v.withdrawn).values(head=previous))
    return f"{stream} 1"


def _new_stream(c: sa.Connection, v: Victim) -> str:
    head = Head(stream="account:system", events=0, hash=GENESIS)
    row = c.execute(sa.select(t.clock)).one()
    c.execute(t.event.delete().where(t.event.c.stream == head.stream))
    made = write(FOREIGN, b"", head, [Event(kind="x", input=True)], Command(id=uuid4(), recorded_at=row.floor))
    c.execute(t.event.insert(), made.rows)
    return "account:system 1"


def _nonsense_stream(c: sa.Connection, v: Victim) -> str:
    name = "case:" + "no-uuid" * 5 + "x"
    c.execute(t.event.update().where(_at("definition:", 1)).values(stream=name))
    return name


def _of_running(v: Victim) -> str:
    return case(v.running)


def _nonsense(table: str, column: str, where: str, named: Callable[[Victim], str]) -> Do:
    """A value that is none of its column's kind, as a file takes it."""

    def do(c: sa.Connection, v: Victim) -> str:
        c.exec_driver_sql(f"UPDATE {table} SET {column} = 'yesterday' WHERE {where.format(v=v, case=case(v.running))}")
        return named(v)

    return do
