"""Messages, signals and errors that diagrams throw; what is kept of answers; what the gate asks of messages."""

from __future__ import annotations

import contextlib
import json
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine import commands as c
from engine import worker
from engine.bpmn import gate
from engine.errors import Forbidden
from engine.model import CaseStatus, Library, Once
from engine.store import Store
from engine.worker import Worker
from tests import diagrams as d
from tests.letters import (
    PAID,
    PAYMENT,
    Hall,
    begin,
    declared,
    drawn,
    go_on,
    ordered,
    send,
    stands,
    value,
    work,
)
from tests.test_replay import replays
from tests.town import LIBRARY


@pytest.fixture
def town(store: Store) -> Hall:
    return Hall(store)


# -- thrown by diagrams
ASK = declared("asked", schema="messages/paid.json") + declared("told", schema="messages/paid.json")


def asking() -> bytes:
    """Asks under its business key and waits for the answer."""
    throw = d.element("intermediateThrowEvent", "ask", d.message(ref="asked", payload="{'amount': 7}"))
    catch = d.element("intermediateCatchEvent", "hear", d.message("answer", ref="told"))
    body = (d.start(), throw, catch, d.user("after"), d.end(), d.flow("s", "ask", "hear", "after", "e"))
    return drawn("asking", "s ask hear after e", *body, more=ASK)


def telling() -> bytes:
    """Is started by the question and answers under the key it came with."""
    start = d.element("startEvent", "s", d.message("question", ref="asked"))
    payload = "{'amount': question['amount'] + 1}"
    throw = d.element("intermediateThrowEvent", "tell", d.message(ref="told", payload=payload))
    body = (start, throw, d.user("keep"), d.end(), d.flow("s", "tell", "keep", "e"))
    return drawn("telling", "s tell keep e", *body, more=ASK)


def test_two_processes_talk_both_ways_and_each_message_counts_once_though_the_worker_dies(
    town: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.put(asking(), telling())
    case = begin(town, "asking")
    assert stands(town, case.case) == []
    deaths: list[str] = []

    class Died(BaseException):
        pass

    def dies(point: str) -> None:
        if point == "after_deliver" and len(deaths) < 3:
            deaths.append(point)
            raise Died

    monkeypatch.setattr(worker, "reached", dies)
    for _ in range(12):
        with contextlib.suppress(Died):
            work(town)
        expire_leases(town.office.store)
    assert len(deaths) == 3
    assert stands(town, case.case) == ["after"]
    assert value(town, case.case, "answer") == {"amount": 8}
    [other] = [row for row in c.cases(town.office, town["supervisor1"]).items if row.process_key == "telling"]
    kinds = town.kinds(case.case)
    assert kinds.count("message.delivered") == 1
    history = c.history(town.office, town["auditor1"], case.case, limit=1000).items
    [heard] = [row for row in history if row.kind == "message.delivered"]
    assert heard.detail["from"] == str(other.id)
    assert heard.actor is not None
    assert heard.actor.account is None
    assert (replays(town, case.case), replays(town, other.id)) == (2, 1)
    with town.office.store.reading() as reading:
        assert reading.unfinished() == 0


def test_a_thrown_message_its_receiver_does_not_take_is_an_incident_of_the_sender(town: Hall) -> None:
    throw = d.element("endEvent", "e", d.message(ref="paid", payload="{'amount': 0}"))
    town.put(drawn("bad", "s e", d.start(), throw, d.flow("s", "e"), more=PAYMENT))
    case = begin(town, "bad")
    work(town)
    [incident] = [i for i in c.incidents(town.office, town["supervisor1"]) if i.case_id == case.case]
    assert incident.code == "message_misfit"
    done = c.retry_incident(town.office, town["system1"], incident.id)
    assert done.incidents == 0
    work(town)
    assert len([i for i in c.incidents(town.office, town["supervisor1"]) if i.case_id == case.case]) == 1


def listening(ident: str = "listening") -> bytes:
    """Starts a branch for every signal while its task is open."""
    body = (d.start(), d.user("wait"), d.boundary("heard", "wait", "sig", cancel=False), d.user("noted"))
    flows = (d.end(), d.end("e2"), d.flow("s", "wait", "e"), d.flow("heard", "noted", "e2"))
    return drawn(ident, "s wait heard noted e e2", *body, *flows)


def test_a_signal_reaches_every_case_that_waits_when_it_is_thrown_once_and_no_later_one(
    town: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (d.start(), d.throw("call", "sig"), d.end(), d.flow("s", "call", "e"))
    town.put(listening(), drawn("calling", "s call e", *body))
    early = [begin(town, "listening") for _ in range(2)]
    begin(town, "calling")
    late = begin(town, "listening")
    killed: list[str] = []

    def dies(point: str) -> None:
        if point == "after_deliver" and not killed:
            killed.append(point)
            raise KeyboardInterrupt

    monkeypatch.setattr(worker, "reached", dies)
    with pytest.raises(KeyboardInterrupt):
        work(town)
    expire_leases(town.office.store)
    work(town)
    for case in early:
        assert sorted(stands(town, case.case)) == ["noted", "wait"]
        assert town.kinds(case.case).count("signal.delivered") == 1
        assert replays(town, case.case) == 2
    assert stands(town, late.case) == ["wait"]


def test_an_error_nobody_catches_ends_the_case_and_is_seen_until_somebody_has_seen_it(town: Hall) -> None:
    error = (d.start(), d.end("e", "err"), d.flow("s", "e"))
    mild = (d.start(), d.throw("up", "esc"), d.end(), d.flow("s", "up", "e"))
    town.put(drawn("failing", "s e", *error), drawn("mild", "s up e", *mild))
    case, other = begin(town, "failing"), begin(town, "mild")
    assert (case.status, case.outcome, case.incidents) == (CaseStatus.ENDED, "error", 1)
    assert (other.outcome, other.incidents) == ("completed", 0)
    assert "error.uncaught" in town.kinds(other.case)
    [incident] = c.incidents(town.office, town["supervisor1"])
    assert (incident.code, incident.element) == ("error_uncaught", "failing/e")
    assert c.retry_incident(town.office, town["system1"], incident.id).incidents == 0
    assert c.incidents(town.office, town["supervisor1"]) == ()
    assert town.kinds(case.case)[-1] == "incident.closed"


def expire_leases(store: Store) -> None:
    with store.engine.begin() as connection:
        for table in ("job", "outbox"):
            connection.exec_driver_sql(f"UPDATE {table} SET locked_until = '2000-01-01T00:00:00.000000+00:00'")


def test_a_suspended_case_gets_what_came_meanwhile_when_it_goes_on(town: Hall) -> None:
    case = begin(town)
    go_on(town, case)
    c.suspend_case(town.office, town["supervisor1"], case.case, "核对")
    assert send(town, case.business_key).status == "kept"
    work(town)
    assert stands(town, case.case) == []
    c.resume_case(town.office, town["supervisor1"], case.case)
    work(town)
    assert stands(town, case.case) == ["after"]


# -- answers remembered
def test_answers_are_forgotten_when_their_time_is_over_and_follow_the_key_of_their_case(town: Hall) -> None:
    once = Once(key="k", route="start", digest="d")
    first = c.start_case(town.office, town["counter1"], "waiting", {}, once=once)
    assert c.start_case(town.office, town["counter1"], "waiting", {}, once=once) == first
    with town.office.store.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT case_id FROM idempotency")).one()
    assert UUID(str(row.case_id)) == first.case
    town.advance(days=8)
    Worker(town.office, town.sms).once()
    with town.office.store.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM idempotency")).scalar() == 0


# -- the gate
def told(more: str, *body: str, nodes: str = "s pay e", ident: str = "drawn") -> set[str]:
    """The rules about messages that a diagram breaks."""
    files = {path: content for path, content in LIBRARY.under("processes/", ".csv")}
    files["forms/messages/paid.json"] = json.dumps(PAID).encode()
    files[f"processes/{ident}.bpmn"] = drawn(ident, nodes, *body, more=more)
    return {f.rule for f in gate.check(Library(files)) if f.rule.startswith("message_")}


def catching(variable: str = "payment") -> tuple[str, ...]:
    event = d.element("intermediateCatchEvent", "pay", d.message(variable, ref="paid"))
    return (d.start(), event, d.end(), d.flow("s", "pay", "e"))


def test_the_gate_asks_of_messages_what_they_carry_and_who_may_send_them() -> None:
    assert told(PAYMENT, *catching()) == set()
    assert told(declared("paid"), *catching()) == {"message_schema_missing"}
    assert told(declared("paid"), *catching("")) == set()
    assert told(declared("paid", schema="messages/none.json"), *catching()) == {"message_schema_unknown"}
    assert told(declared("paid", schema="messages/paid.json", sender="x", expires="soon", more="1"), *catching()) == {
        "message_sender_unknown",
        "message_expires",
        "message_property",
    }
    throw = d.element("endEvent", "e", d.message(ref="paid"))
    assert told(declared("paid"), d.start(), throw, d.flow("s", "e"), nodes="s e") == {"message_unheard"}


def test_the_gate_lets_one_process_only_be_started_by_a_message() -> None:
    files = {path: content for path, content in LIBRARY.under("processes/", ".csv")}
    files["forms/messages/paid.json"] = json.dumps(PAID).encode()
    files["processes/ordered.bpmn"] = ordered()
    files["processes/second.bpmn"] = ordered("second", more=declared("paid", schema="messages/paid.json"))
    rules = {(f.where, f.rule) for f in gate.check(Library(files)) if f.rule.startswith("message_")}
    assert rules == {
        ("processes/second.bpmn#s", "message_start_twice"),
        ("processes/second.bpmn#paid", "message_differs"),
    }


def test_who_may_act_on_a_case_may_send_to_it_before_it_waits_though_not_named_as_sender(town: Hall) -> None:
    case = begin(town)
    assert send(town, case.business_key, by="counter1").status == "kept"
    with pytest.raises(Forbidden):
        send(town, "nobody", by="counter1", ident="m2")
