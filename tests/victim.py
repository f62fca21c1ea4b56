"""The database that is attacked: several cases driven by real verbs, keys rotated, checkpoints copied outside."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from api.keyring import promoted
from engine import commands as c
from engine import worker
from engine.commands import keys as verbs
from engine.connectors import Folder
from engine.errors import Forbidden
from engine.model import SYSTEM, Event, Library, Membership, Outcome
from engine.store import Keys, Store, checkpoints
from engine.store.tables import metadata
from tests import diagrams as d
from tests.conftest import KEYS
from tests.processes import answers as a
from tests.test_commands import LIBRARY, Town

#: The key that was there first, the one introduced and in use since, and one that nobody ever introduced.
RING = Keys(
    chain=b"n" * 32,
    sealing=b"s" * 32,
    chain_id="c2",
    other_chain={"test": KEYS.chain, "never": b"v" * 32},
    root_id="test",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Victim:
    """A finished database: its file, an earlier state of it, the checkpoints' copies, and who is in it."""

    file: Path
    before: Path
    copies: Path
    granted: UUID
    running: UUID
    withdrawn: UUID
    stuck: UUID
    erased: UUID
    clerk: UUID


def make_victim(template: Path, folder: Path) -> Victim:
    """Drive the cases, closing and copying the file halfway and at the end."""
    file, copies = folder / "victim.db", folder / "copies"
    shutil.copyfile(template, file)
    store = Store.open(f"sqlite:///{file}", KEYS)
    town = Town(store)
    granted = _granted(town)
    running = _running(town)
    _checkpoint(town, copies)
    store.close()
    shutil.copyfile(file, folder / "before.db")
    known = Store.open(f"sqlite:///{file}", promoted(RING, "chain", "test"))
    verbs.introduce_chain_key(c.Office(known), SYSTEM, "c2")
    known.close()
    town.office = c.Office(Store.open(f"sqlite:///{file}", RING))
    town.worker = worker.Worker(town.office, town.sms)
    verbs.use_chain_key(town.office, SYSTEM, "c2")
    _answer(town, running)
    withdrawn, stuck, erased = _withdrawn(town), _stuck(town), _withdrawn(town)
    past = date(2020, 1, 1)
    c.propose_erasure(town.office, town["archivist1"], erased.case, basis="保管期限表", kept_until=past)
    c.erase_case(town.office, town["archivist2"], erased.case)
    _publish_more(town)
    _work(town)
    _checkpoint(town, copies)
    _later(town)
    town.office.store.close()
    return Victim(
        file=file,
        before=folder / "before.db",
        copies=copies,
        granted=granted.case,
        running=running.case,
        withdrawn=withdrawn.case,
        stuck=stuck.case,
        erased=erased.case,
        clerk=town["counter1"].account or UUID(int=0),
    )


def _work(town: Town) -> None:
    while town.worker.once():
        pass


def _checkpoint(town: Town, copies: Path) -> None:
    checkpoints.make(town.office.store)
    worker.copy_checkpoints(town.office, Folder(copies))


def _granted(town: Town) -> Outcome:
    """A permit from application to hand-over, with a file, all papers rendered."""
    now = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], now.tasks[0].id, a.food_application())
    now = c.complete_task(town.office, town["reviewer1"], now.tasks[0].id, a.COMPLETE)
    c.claim_task(town.office, town["inspector1"], now.tasks[0].id)
    points = c.task_view(town.office, town["inspector1"], now.tasks[0].id).variables["inspection_points"]
    plan = b"a plan of the premises " * 20_000
    photo = c.attach_file(
        town.office, town["inspector1"], now.tasks[0].id, name="平面图.pdf", media_type="application/pdf", content=plan
    )
    answers = {**a.inspection(points), "photos": [photo]}
    for who, given in (
        ("inspector1", answers),
        ("inspector2", a.CONFIRMED),
        ("examiner1", a.PROPOSES_GRANT),
        ("head1", a.GRANTED),
        ("examiner1", a.CERTIFICATE),
        ("issue1", a.HANDED_OVER),
    ):
        now = c.complete_task(town.office, town[who], now.tasks[0].id, given)
    assert now.outcome == "granted"
    _work(town)
    return now


def _running(town: Town) -> Outcome:
    """A permit that waits for its first examination, claimed, with a draft and an attempt that was refused."""
    now = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], now.tasks[0].id, a.food_application())
    with suppress(Forbidden):
        c.complete_task(town.office, town["counter1"], now.tasks[0].id, a.COMPLETE)
    c.claim_task(town.office, town["reviewer1"], now.tasks[0].id)
    return now


def _answer(town: Town, running: Outcome) -> None:
    c.complete_task(town.office, town["reviewer1"], running.tasks[0].id, a.COMPLETE)


def _withdrawn(town: Town) -> Outcome:
    now = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], now.tasks[0].id, a.food_application())
    return c.withdraw_case(town.office, town["counter1"], now.case, "申请人改变计划")


def _stuck(town: Town) -> Outcome:
    """A case with an incident, of a diagram that breaks."""
    drawn = d.process(
        d.lanes(d.lane("intake_clerk", "'liwan/hall'", "s", "breaks", "e")),
        d.start(),
        d.script("breaks", "x = 1 / 0"),
        d.end(),
        d.flow("s", "breaks", "e"),
        ident="drawn",
    )
    before = town.office.published().entries  # past the gate, which would refuse it
    with town.office.store.transaction() as tx:
        digest = tx.put_artefact("process", "drawn", drawn)
        tx.publish({**before, "process": {**before["process"], "drawn": digest}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])
    return c.start_case(town.office, town["counter1"], "drawn", {})


def _publish_more(town: Town) -> None:
    path = "processes/registers/calendar.csv"
    closure = LIBRARY.files[path] + "2027-03-03,0,台风停工\n".encode()
    c.publish(town.office, town["designer1"], Library({path: closure}), alone=False)
    post = Membership(role="intake_clerk", scope="liwan/hall", unit="liwan/hall", post="收件员")
    c.create_account(
        town.office,
        replace(town["security1"]),
        name="newcomer",
        display_name="演示新人",
        password="a long enough password",
        memberships=(post,),
    )
    c.log_in(town.office, "newcomer", "a long enough password")


def _later(town: Town) -> None:
    """What no checkpoint has seen yet."""
    c.history(town.office, town["auditor1"], _running(town).case)
    town.advance(days=1)
    _work(town)


def copy_to(source: Store, target: sa.Engine) -> None:
    """The same rows in another kind of database, no trigger asked."""
    with source.engine.connect() as reading, target.begin() as writing:
        writing.exec_driver_sql("SET session_replication_role = replica")
        for table in metadata.sorted_tables:
            writing.execute(table.delete())
            rows = [dict(row._mapping) for row in reading.execute(sa.select(table))]
            if rows:
                writing.execute(table.insert(), rows)
