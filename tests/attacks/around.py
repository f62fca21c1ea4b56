"""What is published, rows as history never made them, whole cases, copies beside the database, keys."""

from __future__ import annotations

import shutil
from uuid import UUID

import sqlalchemy as sa

from engine.store import checkpoints
from engine.store import tables as t
from engine.store.checkpoint_tables import checkpoint, checkpoint_leaf
from tests.attacks.history import _at, _cut, _swap
from tests.attacks.kit import FOREIGN, Do, case
from tests.victim import Victim


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
