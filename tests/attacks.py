"""What somebody who holds the database (but no key) can do to it: every column, row and order history speaks of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from engine.model import Event
from engine.store import checkpoints, new_id, rows
from engine.store import tables as t
from engine.store.checkpoint_tables import checkpoint, checkpoint_leaf
from engine.store.columns import Moment
from engine.store.history import GENESIS, Command, Head, canonical, unseal_values, write
from engine.store.vault import Keys, link, seal, seal_json, unwrap
from tests.victim import RING, Victim

#: Performs an attack and gives the words that a fault must hold: which stream and number, or which table and row.
Do = Callable[[sa.Connection, Victim], str]
FOREIGN = Keys(chain=b"x" * 32, sealing=b"y" * 32, chain_id="c2", other_chain={"test": b"z" * 32})


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. ``everywhere``: made on PostgreSQL too."""

    name: str
    do: Do
    everywhere: bool = False


def case(number: UUID) -> str:
    return f"case:{number}"


def other(column: sa.Column[Any], value: Any) -> Any:
    """Another value of the column's kind."""
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return not value
    if isinstance(kind, sa.Integer | sa.BigInteger):
        return 7 if value is None else value + 1000
    if isinstance(kind, sa.Uuid):
        return uuid4()
    if isinstance(kind, Moment):
        return datetime.fromisoformat("2026-01-01T00:00:00+00:00") if value is None else value + timedelta(days=1)
    if isinstance(kind, sa.LargeBinary):
        return b"x" * 32 if not value else value[:-1] + bytes([value[-1] ^ 1])
    if value is not None and isinstance(kind, sa.String) and kind.length:
        return value[:-1] + ("1" if value[-1] == "0" else "0")
    return "x" if value is None else value + "x"


# -- one column of one row
Row = Callable[[sa.Connection, Victim], Any]


def first(table: sa.Table, *where: Callable[[Victim], sa.ColumnElement[bool]]) -> Row:
    """The first row, by its primary key, of those meant."""

    def find(connection: sa.Connection, victim: Victim) -> Any:
        found = sa.select(table).where(*(each(victim) for each in where)).order_by(*table.primary_key)
        return connection.execute(found.limit(1)).one()

    return find


def of(name: str) -> Callable[[sa.Table], Callable[[Victim], sa.ColumnElement[bool]]]:
    return lambda table: lambda victim: table.c.case_id == getattr(victim, name)


def this(table: sa.Table, row: Any) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == getattr(row, column.key) for column in table.primary_key))


def by_id(table: sa.Table) -> Callable[[Any], str]:
    return lambda row: f"{table.name} {row.id}"


Named = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Target:
    """A row whose columns are changed one by one, and how a fault names it (some columns are named otherwise)."""

    table: sa.Table
    row: Row
    named: Named
    columns: tuple[str, ...]
    otherwise: dict[str, Named]


def target(table: sa.Table, row: Row, named: Named, *without: str, **otherwise: Named) -> Target:
    columns = tuple(column.key for column in table.c if column.key not in without)
    return Target(table, row, named, columns, otherwise)


def _stream(row: Any) -> str:
    return case(row.id)


def _version(row: Any) -> str:
    return f"version {rows.version_id(row.kind, row.name, row.version)}"


def _post(row: Any) -> str:
    return f"membership {row.account_id}"


_event = first(t.event, lambda v: (t.event.c.stream == case(v.running)) & (t.event.c.actor_account.is_not(None)))
_last = first(t.event, lambda v: (t.event.c.stream == case(v.granted)) & t.event.c.state_digest.is_not(None))
_definitions = first(t.stream_head, lambda v: t.stream_head.c.stream == "definition:")
_pdf = first(t.attachment)
_art = first(t.artefact, lambda v: t.artefact.c.kind == "form")

TARGETS: dict[str, Target] = {
    "an input": target(t.event, _event, lambda r: f"{r.stream} {r.number}", "state_digest", "rows", "flow", "release"),
    "a last event": Target(
        t.event,
        _last,
        lambda r: f"{r.stream} {r.number}",
        ("state_digest", "rows", "flow", "cause", "commitment", "detail", "previous", "hash"),
        {},
    ),
    "a case": target(
        t.process_instance,
        first(t.process_instance, lambda v: t.process_instance.c.id == v.running),
        by_id(t.process_instance),
        "revision",
        wake_at=lambda r: f"process_instance.wake_at {r.id}",
        sealed_title=lambda r: f"process_instance.sealed_title {r.id}",
        sealed_state=_stream,
        events=_stream,
        head=_stream,
        last_at=_stream,
    ),
    "an ended case": Target(
        t.process_instance,
        first(t.process_instance, lambda v: t.process_instance.c.id == v.granted),
        by_id(t.process_instance),
        ("status", "outcome", "milestone", "ended_at", "release"),
        {"sealed_state": _stream},
    ),
    "an open task": target(
        t.task, first(t.task, of("running")(t.task), lambda v: t.task.c.status == "open"), by_id(t.task)
    ),
    "a completed task": Target(
        t.task,
        first(t.task, of("granted")(t.task)),
        by_id(t.task),
        ("status", "closed_at", "closed_by", "closed_name", "claimed_by", "element", "case_id"),
        {},
    ),
    "a deadline": target(t.deadline, first(t.deadline, of("running")(t.deadline)), by_id(t.deadline)),
    "a wait": target(
        t.subscription, first(t.subscription, of("running")(t.subscription)), lambda r: f"subscription {r.number}"
    ),
    "an incident": target(t.incident, first(t.incident, of("stuck")(t.incident)), by_id(t.incident)),
    "a paper": target(t.document, first(t.document, of("granted")(t.document)), by_id(t.document)),
    "a file": target(t.attachment, _pdf, by_id(t.attachment), "created_at", id=lambda r: "attachment"),
    "a piece of a file": target(
        t.attachment_chunk, first(t.attachment_chunk), lambda r: f"attachment {r.attachment_id}"
    ),
    "a file's case": target(
        t.case_attachment, first(t.case_attachment), lambda r: f"case_attachment {r.attachment_id}"
    ),
    "an account": target(
        t.account,
        first(t.account, lambda v: t.account.c.id == v.clerk),
        by_id(t.account),
        "failures",
        "locked_until",
    ),
    "a post": target(t.membership, first(t.membership, lambda v: t.membership.c.account_id == v.clerk), _post),
    "a publication": target(t.publication, first(t.publication), lambda r: f"publication {r.number}"),
    "a version": target(t.version, first(t.version), _version),
    "an artefact": target(t.artefact, _art, lambda r: f"{r.digest}", "kind", "name", "created_at"),
    "a release": target(t.release, first(t.release), lambda r: f"release {r.digest}", "created_at"),
    "a head": target(t.stream_head, _definitions, lambda r: r.stream),
    "a key": target(t.data_key, first(t.data_key, lambda v: t.data_key.c.id == v.running), lambda r: case(r.id)),
    "sealed values": target(
        t.event_value,
        first(t.event_value, lambda v: t.event_value.c.stream == case(v.running)),
        lambda r: r.stream,
    ),
    "an outgoing message": Target(
        t.outbox, first(t.outbox, of("granted")(t.outbox)), by_id(t.outbox), ("id", "kind", "name", "case_id"), {}
    ),
    "a job": Target(t.job, first(t.job, of("granted")(t.job)), by_id(t.job), ("id", "kind", "name", "case_id"), {}),
    "a checkpoint": Target(
        checkpoint, first(checkpoint), lambda r: "checkpoint", ("number", "record", "signature", "made_at"), {}
    ),
    "a leaf": target(checkpoint_leaf, first(checkpoint_leaf), lambda r: "checkpoint"),
    "the clock": Target(t.clock, first(t.clock), lambda r: "clock 1", ("offset_microseconds",), {}),
}
ON_POSTGRESQL = {
    "an input: kind",
    "an input: actor_name",
    "a case: status",
    "a case: sealed_state",
    "an open task: claimed_by",
    "a deadline: due_at",
    "a paper: sealed_content",
    "an account: password_hash",
    "an artefact: content",
    "sealed values: sealed",
    "a checkpoint: record",
    "a wait: key",
    "a file: digest",
}


def _changes() -> Iterator[Attack]:
    for name, one in TARGETS.items():
        for column in one.columns:
            full = f"{name}: {column}"
            yield Attack(full, _change(one, column), full in ON_POSTGRESQL)


def _change(one: Target, name: str) -> Do:
    def do(connection: sa.Connection, victim: Victim) -> str:
        row = one.row(connection, victim)
        column = one.table.c[name]
        value = other(column, getattr(row, name))
        connection.execute(one.table.update().where(this(one.table, row)).values({name: value}))
        return one.otherwise.get(name, one.named)(row)

    return do


# -- a row taken away, a row put in
def _gone(one: Target) -> Do:
    def do(connection: sa.Connection, victim: Victim) -> str:
        row = one.row(connection, victim)
        connection.execute(one.table.delete().where(this(one.table, row)))
        return one.named(row)

    return do


def _another(table: sa.Table, source: Row, named: Callable[[Any, Victim], str], **changed: Callable[[], Any]) -> Do:
    def do(connection: sa.Connection, victim: Victim) -> str:
        row = source(connection, victim)._asdict() | {name: make() for name, make in changed.items()}
        connection.execute(table.insert(), row)
        return named(row, victim)

    return do


def _by_new_id(table: sa.Table) -> Callable[[Any, Victim], str]:
    return lambda row, victim: f"{table.name} {row['id']}"


def _gone_and_new() -> Iterator[Attack]:
    for name, one in TARGETS.items():
        if name not in ("the clock", "a last event", "an ended case"):
            yield Attack(f"{name} gone", _gone(one), name in ("an input", "an open task", "a paper"))
    for name in ("an open task", "a deadline", "an incident", "a paper", "an outgoing message", "a job"):
        one = TARGETS[name]
        fresh = {"id": new_id} | ({"number": lambda: None} if one.table is t.document else {})
        yield Attack(f"{name} more", _another(one.table, one.row, _by_new_id(one.table), **fresh), name == "a paper")
    wait, post, account = TARGETS["a wait"], TARGETS["a post"], TARGETS["an account"]
    yield Attack("a wait more", _another(wait.table, wait.row, lambda r, v: "subscription 99", number=lambda: 99))
    yield Attack(
        "a post more",
        _another(post.table, post.row, lambda r, v: f"membership {v.clerk}", role=lambda: "decision_maker"),
        True,
    )
    yield Attack(
        "an account more",
        _another(account.table, account.row, _by_new_id(account.table), id=uuid4, name=lambda: "somebody"),
        True,
    )
    number = {"number": lambda: 99}
    publication, version = TARGETS["a publication"], TARGETS["a version"]
    yield Attack(
        "a publication more", _another(publication.table, publication.row, lambda r, v: "publication 99", **number)
    )
    yield Attack(
        "a version more",
        _another(version.table, version.row, lambda r, v: "a row that no event tells of", version=lambda: 99),
    )
    one = TARGETS["a case"]
    fresh = {"id": new_id, "business_key": lambda: "another"}
    yield Attack("a case more", _another(one.table, one.row, lambda r, v: case(r["id"]), **fresh))
    one = TARGETS["sealed values"]
    yield Attack("values more", _another(one.table, one.row, lambda r, v: f"{r['stream']} 999", number=lambda: 999))
    one = TARGETS["a checkpoint"]
    yield Attack("a checkpoint more", _another(one.table, one.row, lambda r, v: "checkpoint 99", **number))


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


# -- what is published
def _replace(name: str) -> Do:
    """The content of what was published under a name (part of it), its digest left as it was."""

    def do(c: sa.Connection, v: Victim) -> str:
        found = sa.select(t.artefact).where(t.artefact.c.name.contains(name)).order_by(t.artefact.c.digest)
        row = c.execute(found).first()
        assert row is not None
        where = t.artefact.c.digest == row.digest
        c.execute(t.artefact.update().where(where).values(content=bytes(row.content) + b" "))
        return f"artefact {row.digest}"

    return do


def _other_release(c: sa.Connection, v: Victim) -> str:
    """The running case moved to the release of another."""
    _swap(t.process_instance, "release", t.process_instance.c.id == v.running, t.process_instance.c.id == v.stuck, c)
    return f"process_instance {v.running}"


def _other_form(c: sa.Connection, v: Victim) -> str:
    """An open task shown with the form of another."""
    digests = c.execute(sa.select(t.artefact.c.digest).where(t.artefact.c.kind == "form").limit(2)).scalars().all()
    row = c.execute(sa.select(t.task).where(t.task.c.case_id == v.running, t.task.c.status == "open")).first()
    assert row is not None
    form = next(each for each in digests if each != row.form_digest)
    c.execute(t.task.update().where(t.task.c.id == row.id).values(form_digest=form))
    return f"task {row.id}"


def _unpublish(c: sa.Connection, v: Victim) -> str:
    last = c.execute(sa.select(sa.func.max(t.publication.c.number))).scalar_one()
    c.execute(t.version.delete().where(t.version.c.publication == last))
    c.execute(t.publication.delete().where(t.publication.c.number == last))
    return f"publication {last}"


# -- rows as history never made them
def _reassign(c: sa.Connection, v: Victim) -> str:
    """A completion put down to somebody else, as to have four eyes where there were two."""
    row = c.execute(sa.select(t.task).where(t.task.c.case_id == v.granted).order_by(t.task.c.id)).all()[3]
    c.execute(t.task.update().where(t.task.c.id == row.id).values(closed_by=v.clerk, closed_name="演示收件员"))
    return f"task {row.id}"


def _unrender(c: sa.Connection, v: Victim) -> str:
    row = c.execute(sa.select(t.document).where(t.document.c.case_id == v.granted).order_by(t.document.c.id)).first()
    assert row is not None
    c.execute(t.document.update().where(t.document.c.id == row.id).values(sealed_content=None, digest=None))
    return f"document {row.id}"


def _swap_papers(c: sa.Connection, v: Victim) -> str:
    ids = c.execute(
        sa.select(t.document.c.id).where(t.document.c.case_id == v.granted).order_by(t.document.c.id)
    ).scalars()
    one, two = list(ids)[:2]
    for column in ("sealed_content", "digest", "sealed_values"):
        _swap(t.document, column, t.document.c.id == one, t.document.c.id == two, c)
    return f"document {one}"


def _reopen(c: sa.Connection, v: Victim) -> str:
    where = t.process_instance.c.id == v.granted
    c.execute(t.process_instance.update().where(where).values(status="active", outcome=None, ended_at=None))
    return f"process_instance {v.granted}"


def _silence(c: sa.Connection, v: Victim) -> str:
    """No timer of the case ever fires again."""
    c.execute(t.process_instance.update().where(t.process_instance.c.id == v.running).values(wake_at=None))
    return f"process_instance.wake_at {v.running}"


def _move_rows(table: sa.Table) -> Do:
    def do(c: sa.Connection, v: Victim) -> str:
        c.execute(table.update().where(table.c.case_id == v.granted).values(case_id=v.withdrawn))
        return f"{case(v.granted)} "

    return do


def _no_rows(table: sa.Table) -> Do:
    def do(c: sa.Connection, v: Victim) -> str:
        c.execute(table.delete())
        return table.name.removesuffix("_chunk")

    return do


# -- everything of one case, with what counts it
_OF_CASE = (t.task, t.deadline, t.subscription, t.incident, t.job, t.outbox, t.document, t.case_attachment)


def _forget(c: sa.Connection, number: UUID) -> None:
    for table in _OF_CASE:
        c.execute(table.delete().where(table.c.case_id == number))
    c.execute(t.event_value.delete().where(t.event_value.c.stream == case(number)))
    c.execute(t.event.delete().where(t.event.c.stream == case(number)))
    c.execute(t.process_instance.delete().where(t.process_instance.c.id == number))
    c.execute(t.data_key.delete().where(t.data_key.c.id == number))


def _forget_case(c: sa.Connection, v: Victim) -> str:
    _forget(c, v.withdrawn)
    return case(v.withdrawn)


def _forget_with_leaves(c: sa.Connection, v: Victim) -> str:
    _forget(c, v.granted)
    c.execute(checkpoint_leaf.delete().where(checkpoint_leaf.c.stream == case(v.granted)))
    return "copy checkpoint-00000001.jsonl"


def _forget_account(c: sa.Connection, v: Victim) -> str:
    stream = f"account:{v.clerk}"
    _cut(c, stream, 0)
    c.execute(t.membership.delete().where(t.membership.c.account_id == v.clerk))
    c.execute(t.account.delete().where(t.account.c.id == v.clerk))
    return stream


def _set_back_case(c: sa.Connection, v: Victim) -> str:
    """All rows of the running case as a backup holds them."""
    _forget(c, v.running)
    before = sa.create_engine(f"sqlite:///{v.before}")
    with before.connect() as backup:
        for table in (t.data_key, t.process_instance, t.event, t.event_value, *_OF_CASE):
            if "case_id" in table.c:
                where = table.c.case_id == v.running
            elif "stream" in table.c:
                where = table.c.stream == case(v.running)
            else:
                where = table.c.id == v.running
            kept = [dict(row._mapping) for row in backup.execute(sa.select(table).where(where))]
            if kept:
                c.execute(table.insert(), kept)
    before.dispose()
    return case(v.running)


def _no_checkpoints(c: sa.Connection, v: Victim) -> str:
    c.execute(checkpoint_leaf.delete())
    c.execute(checkpoint.delete())
    return "checkpoint 2"


def _own_checkpoints(c: sa.Connection, v: Victim) -> str:
    """A case forgotten, and all checkpoints made anew without it, signed by the attacker."""
    _forget(c, v.withdrawn)
    previous = None
    for row in c.execute(sa.select(checkpoint).order_by(checkpoint.c.number)).all():
        c.execute(checkpoint_leaf.delete().where(checkpoint_leaf.c.stream == case(v.withdrawn)))
        point = checkpoints.Checkpoint(record=row.record, signature=bytes(row.signature))
        record = checkpoints.plain_text(point.facts() | {"previous": previous, "leaves": 1})
        signature = checkpoints.signer(FOREIGN.chain).sign(record.encode())
        c.execute(
            checkpoint.update().where(checkpoint.c.number == row.number).values(record=record, signature=signature)
        )
        previous = checkpoints.Checkpoint(record=record, signature=signature).digest
    return "checkpoint 1: the checkpoint is not signed with a key of ours"


# -- files beside the database
def _lose_copy(c: sa.Connection, v: Victim) -> str:
    (v.copies / "checkpoint-00000001.jsonl").unlink()
    return "checkpoint 1: its copy outside is missing"


def _exchange_copies(c: sa.Connection, v: Victim) -> str:
    shutil.copyfile(v.copies / "checkpoint-00000002.jsonl", v.copies / "checkpoint-00000009.jsonl")
    return "copy checkpoint-00000009.jsonl: two copies"


def _edit_copy(c: sa.Connection, v: Victim) -> str:
    path = v.copies / "checkpoint-00000002.jsonl"
    lines = path.read_text().splitlines()
    path.unlink()
    path.write_text("\n".join(lines[:-1]) + "\n")
    return "copy checkpoint-00000002.jsonl: its leaves"


# -- keys
def _unlearn(c: sa.Connection, v: Victim) -> str:
    """The introduction of the key in use taken away."""
    _cut(c, "keys:chain", 0)
    return "keys:chain"


def _unlearn_kind(c: sa.Connection, v: Victim) -> str:
    c.execute(t.event.update().where(_at("keys:chain", 1)).values(detail='{"id":"never"}'))
    return "keys:chain 1"


CRAFTED = (
    Attack("two events in another order", _reorder, True),
    Attack("an event put in between", _insert_between, True),
    Attack("the histories of two cases exchanged", _swap_cases, True),
    Attack("history cut off before a refused attempt", _cut_refusal, True),
    Attack("publications cut off", _cut_stream("definition:")),
    Attack("the clock's history cut off", _cut_clock),
    Attack("keys' history cut off", _unlearn, True),
    Attack("another key introduced", _unlearn_kind),
    Attack("a continuation under the right id with a wrong key", _forged(FOREIGN, "c2"), True),
    Attack("a continuation under an unknown key", _forged(Keys(chain=b"q" * 32, sealing=b"q" * 32, chain_id="q"), "q")),
    Attack("a continuation under a key nobody introduced", _forged(RING, "never"), True),
    Attack("a continuation under a retired key", _forged(RING, "test"), True),
    Attack("a history chained anew", _rehash, True),
    Attack("a stream that never was", _new_stream),
    Attack("a stream of a senseless name", _nonsense_stream),
    Attack(
        "an event's moment made senseless",
        _nonsense("event", "recorded_at", "stream = '{case}' AND number = 4", lambda v: f"{case(v.running)} 4"),
    ),
    Attack("an event's hash made a text", _nonsense("event", "hash", "stream = '{case}' AND number = 4", _of_running)),
    Attack(
        "a case's start made senseless", _nonsense("process_instance", "started_at", "1", lambda v: "cannot be read")
    ),
    Attack(
        "a head made senseless", _nonsense("stream_head", "last_at", "stream = 'definition:'", lambda v: "definition:")
    ),
    Attack("values made senseless", _nonsense("event_value", "sealed", "stream = '{case}'", _of_running)),
    Attack("states exchanged", _swap_of_cases(t.process_instance, "sealed_state"), True),
    Attack("titles exchanged", _swap_of_cases(t.process_instance, "sealed_title")),
    Attack("heads exchanged", _swap_of_cases(t.process_instance, "head")),
    Attack("milestones exchanged", _swap_of_cases(t.process_instance, "milestone")),
    Attack("data keys exchanged", _swap_of_cases(t.data_key, "wrapped"), True),
    Attack("values of two commands exchanged", _swap_values, True),
    Attack("values of two cases exchanged", _values_of_another_case, True),
    Attack("values of two events exchanged", _swap_within, True),
    Attack("values rewritten under the right key", _rewrite_values, True),
    Attack("salts exchanged under the right key", _swap_salts, True),
    Attack("a data key of one's own", _own_key),
    Attack("another state under the right key", _other_state, True),
    Attack("no state", _no_state),
    Attack("a key destroyed", _destroy(wrapped=None), True),
    Attack("a key said to be erased", _destroy(erased_at=datetime.fromisoformat("2026-12-01T00:00:00+00:00"))),
    Attack("an erasure without an event", _erase_quietly, True),
    Attack("an erased case's key brought back", _bring_back_key),
    Attack("an erasure forgotten", _not_erased, True),
    Attack("an erasure put down to another", _other_approver),
    Attack("a file's key destroyed", _destroy_account_key),
    Attack("a diagram replaced", _replace("food_business_permit.bpmn"), True),
    Attack("a form replaced", _replace("examine.json"), True),
    Attack("a paper's template replaced", _replace("documents/grant_decision")),
    Attack("a notice replaced", _replace("notices/decided")),
    Attack("a register replaced", _replace("registers/deadline_kinds"), True),
    Attack("the calendar replaced", _replace("registers/calendar")),
    Attack("a case moved to another release", _other_release, True),
    Attack("a task with another form", _other_form),
    Attack("a publication taken back", _unpublish),
    Attack("a completion put down to another", _reassign, True),
    Attack("a paper as if never made", _unrender, True),
    Attack("papers exchanged", _swap_papers),
    Attack("an ended case opened again", _reopen, True),
    Attack("timers silenced", _silence),
    *(
        Attack(f"all of a case's {table.name} moved to another", _move_rows(table))
        for table in (t.task, t.deadline, t.document, t.outbox, t.job)
    ),
    *(
        Attack(f"no {table.name} at all", _no_rows(table))
        for table in (t.task, t.deadline, t.document, t.membership, t.artefact, t.publication, t.attachment_chunk)
    ),
    Attack("a case forgotten", _forget_case, True),
    Attack("a case forgotten with its leaves", _forget_with_leaves, True),
    Attack("an account forgotten", _forget_account),
    Attack("a case set back", _set_back_case, True),
    Attack("no checkpoints", _no_checkpoints, True),
    Attack("checkpoints of one's own", _own_checkpoints),
    Attack("a copy lost", _lose_copy),
    Attack("a copy twice", _exchange_copies),
    Attack("a copy changed", _edit_copy),
)

ATTACKS: dict[str, Attack] = {one.name: one for one in (*_changes(), *_gone_and_new(), *CRAFTED)}
