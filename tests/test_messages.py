"""Messages reach one receiver, once: who waits, the process they start, or who will wait; from outside and cases."""

from __future__ import annotations

import contextlib
import json
import threading
from uuid import UUID

import pytest
import sqlalchemy as sa

from api.accounts import demo_accounts
from engine import bpmn, worker
from engine import commands as c
from engine.bpmn import gate
from engine.commands import publishing
from engine.commands.cases import opened
from engine.errors import AlreadyStarted, Forbidden, Invalid, KeyReused, NotFound, NothingWaits
from engine.model import CaseStatus, Event, Library, Once, Outcome
from engine.store import Store, Transaction, verify
from engine.worker import Worker
from tests import diagrams as d
from tests.outside import Silent
from tests.test_commands import LIBRARY, Town
from tests.test_replay import replays
from tests.waiting import until_a_rival_waits

HALL = "'liwan/hall'"
PAID = {
    "title": "缴费",
    "x-title-en": "Payment",
    "type": "object",
    "properties": {"amount": {"type": "integer", "title": "金额", "x-title-en": "Amount", "minimum": 1}},
    "required": ["amount"],
    "additionalProperties": False,
}


def declared(name: str, **told: str) -> str:
    return f'<message id="{name}" name="{name}">{d.properties(**told)}</message>'


PAYMENT = declared("paid", schema="messages/paid.json", sender="issue_clerk", expires="P3D")


def drawn(ident: str, nodes: str, *body: str, more: str = "") -> bytes:
    return d.process(d.lanes(d.lane("intake_clerk", HALL, *nodes.split())), *body, ident=ident, more=more)


def waiting(ident: str = "waiting", key: str = "", more: str = PAYMENT) -> bytes:
    """Does a task, then waits for ``paid`` under its business key (or ``key``)."""
    event = d.message("payment", ref="paid", key=key)
    catch = d.element("intermediateCatchEvent", "pay", event)
    body = (d.start(), d.user("first"), catch, d.user("after"), d.end(), d.flow("s", "first", "pay", "after", "e"))
    return drawn(ident, "s first pay after e", *body, more=more)


def ordered(ident: str = "ordered", more: str = PAYMENT) -> bytes:
    """Is started by ``paid``."""
    start = d.element("startEvent", "s", d.message("payment", ref="paid"))
    return drawn(ident, "s look e", start, d.user("look"), d.end(), d.flow("s", "look", "e"), more=more)


class Hall(Town):
    """A town with nothing published but the registers and what a test draws (past the gate: it has no forms)."""

    def __init__(self, store: Store) -> None:
        self.office = c.Office(store)
        self.files = {path: content for path, content in LIBRARY.under("processes/", ".csv")}
        self.files["forms/messages/paid.json"] = json.dumps(PAID).encode()
        self.put(waiting())
        self.people = {account.name: self._hire(account) for account in demo_accounts()}
        self.sms = Silent()
        self.worker = Worker(self.office, self.sms)

    def put(self, *xml: bytes, alone: bool = False) -> None:
        """Put diagrams in force, beside the others or ``alone``."""
        if alone:
            self.files = {path: content for path, content in self.files.items() if not path.endswith(".bpmn")}
        for content in xml:
            self.files[f"processes/{_key(content)}.bpmn"] = content
        with self.office.store.transaction() as tx:
            tx.publish(publishing._entries(tx, Library(self.files)), None)
            tx.append("definition:", [Event(kind="library.published", input=True)])


def _key(content: bytes) -> str:
    return content.split(b'<process id="')[1].split(b'"')[0].decode()


@pytest.fixture
def town(store: Store) -> Hall:
    return Hall(store)


def begin(town: Hall, process: str = "waiting") -> Outcome:
    return c.start_case(town.office, town["counter1"], process, {})


def go_on(town: Hall, case: Outcome) -> Outcome:
    """The first task is done: from now on the case waits."""
    return c.complete_task(town.office, town["counter1"], case.tasks[0].id, {})


def send(town: Hall, key: str, *, by: str = "issue1", ident: str = "m1", amount: int = 5, **more: object):
    told = {"name": "paid", "key": key, "payload": {"amount": amount}, "message_id": ident, **more}
    return c.deliver_message(town.office, town[by], **told)


def work(town: Hall) -> None:
    while town.worker.once():
        pass


def stands(town: Hall, case: UUID) -> list[str]:
    page = c.case_view(town.office, town["supervisor1"], case)
    return [t.element.rpartition("/")[2] for t in page.tasks if t.status.value == "open"]


def value(town: Hall, case: UUID, name: str):
    with town.office.store.transaction() as tx:
        found = tx.lock_case(case)
        return bpmn.read(town.office.release_of(found.release)[1], found.state)[name]


# -- kept until somebody waits
def test_a_message_that_comes_before_its_receiver_waits_is_kept_and_then_delivered(town: Hall) -> None:
    case = begin(town)
    kept = send(town, case.business_key)
    assert (kept.status, kept.case) == ("kept", None)
    assert kept.expires_at is not None
    assert send(town, case.business_key) == kept
    go_on(town, case)
    assert stands(town, case.case) == []
    work(town)
    assert stands(town, case.case) == ["after"]
    assert value(town, case.case, "payment") == {"amount": 5}
    assert send(town, case.business_key).status == "delivered"
    assert replays(town, case.case) == 3
    assert verify.verify(town.office.store).faults == ()


def test_the_same_id_with_another_content_is_refused(town: Hall) -> None:
    case = begin(town)
    send(town, case.business_key)
    with pytest.raises(KeyReused):
        send(town, case.business_key, amount=6)
    go_on(town, case)
    work(town)
    with pytest.raises(KeyReused):
        send(town, case.business_key, amount=6)
    assert town.kinds(case.case).count("message.delivered") == 1


def test_the_oldest_kept_message_comes_first(town: Hall) -> None:
    case = begin(town)
    send(town, case.business_key, ident="m1", amount=1)
    send(town, case.business_key, ident="m2", amount=2)
    go_on(town, case)
    work(town)
    assert value(town, case.case, "payment") == {"amount": 1}
    assert [m.name for m in c.kept_messages(town.office, town["system1"])] == ["paid"]


def test_a_message_nobody_waited_for_in_time_is_an_incident_that_can_be_extended_or_given_up(town: Hall) -> None:
    case = begin(town)
    one, two = send(town, case.business_key), send(town, case.business_key, ident="m2", amount=2)
    town.advance(days=4)
    work(town)
    stuck = c.stuck_messages(town.office, town["system1"])
    assert [(i.id, i.code, i.message) for i in stuck] == [
        (one.message, "message_expired", "paid"),
        (two.message, "message_expired", "paid"),
    ]
    assert c.stuck_messages(town.office, town["supervisor1"]) == ()
    assert go_on(town, case).status is CaseStatus.ACTIVE
    work(town)
    assert stands(town, case.case) == []  # what has expired reaches nobody by itself
    with pytest.raises(NotFound):
        c.extend_message(town.office, town["supervisor1"], one.message)
    assert c.give_up_message(town.office, town["system1"], one.message).status == "given_up"
    with pytest.raises(NothingWaits):
        c.extend_message(town.office, town["system1"], one.message)
    once = Once(key="k", route="retry", digest="d")
    retried = c.retry_incident(town.office, town["system1"], two.message, once=once)
    assert (retried.status, retried.case) == ("delivered", case.case)
    assert c.retry_incident(town.office, town["system1"], two.message, once=once) == retried
    assert value(town, case.case, "payment") == {"amount": 2}
    assert c.kept_messages(town.office, town["system1"]) == ()
    assert verify.verify(town.office.store).faults == ()


def test_neither_misses_the_other_when_one_begins_to_wait_while_the_other_keeps(town: Hall) -> None:
    """The subscriber has looked for kept messages and not committed: the deliverer waits, then finds it."""
    case = begin(town)
    told: list[object] = []
    rival = threading.Thread(target=lambda: told.append(send(town, case.business_key)))
    store = town.office.store
    with store.transaction() as tx:
        locked, task = tx.lock_task(case.tasks[0].id)
        _, definition, record = opened(town.office, tx, locked, None)
        record.input("task.completed", element=task.element, token=task.token, values={"answers": {}})
        record.take(bpmn.complete(definition, locked.state, record.now, task.token, {}), completed=task.id)
        tx.save(locked, record.changes())
        rival.start()
        until_a_rival_waits(store)
    rival.join()
    assert [each.status for each in told] == ["delivered"]
    assert stands(town, case.case) == ["after"]


def test_neither_misses_the_other_when_one_keeps_while_the_other_begins_to_wait(
    town: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deliverer has seen nobody wait and not committed: the subscriber waits, then finds the kept message."""
    case = begin(town)
    rival = threading.Thread(target=lambda: go_on(town, case))
    asked = Transaction.somebody_waits

    def slowly(tx: Transaction, name: str, key: str) -> bool:
        found = asked(tx, name, key)
        rival.start()
        until_a_rival_waits(town.office.store)
        return found

    monkeypatch.setattr(Transaction, "somebody_waits", slowly)
    assert send(town, case.business_key).status == "kept"
    rival.join()
    work(town)
    assert stands(town, case.case) == ["after"]


def test_many_messages_and_many_cases_at_once_find_each_other(town: Hall) -> None:
    begun = [begin(town) for _ in range(6)]
    faults: list[BaseException] = []

    def all_of(act) -> None:
        for case in begun:
            try:
                act(case)
            except Exception as error:
                faults.append(error)

    def twice(case: Outcome) -> None:
        for n in range(2):
            send(town, case.business_key, ident=f"{case.business_key}{n}")

    workers = [Worker(town.office, town.sms) for _ in range(2)]
    threads = [threading.Thread(target=all_of, args=(act,)) for act in (lambda o: go_on(town, o), twice, twice)]
    threads += [threading.Thread(target=lambda w=w: [w.once() for _ in range(10)]) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work(town)
    assert faults == []
    for case in begun:
        assert town.kinds(case.case).count("message.delivered") == 1
        assert stands(town, case.case) == ["after"]
    assert len(c.kept_messages(town.office, town["system1"])) == len(begun)


# -- one receiver
def test_a_message_goes_to_one_subscription_the_oldest(town: Hall) -> None:
    two = d.element("intermediateCatchEvent", "a", d.message("one", ref="paid"))
    two += d.element("intermediateCatchEvent", "b", d.message("two", ref="paid"))
    body = (d.start(), d.gateway("both"), two, d.user("ua"), d.user("ub"), d.end(), d.end("e2"))
    flows = (d.flow("s", "both", "a", "ua", "e"), d.flow("both", "b", "ub", "e2"))
    town.put(drawn("pair", "s both a b ua ub e e2", *body, *flows, more=PAYMENT))
    case = begin(town, "pair")
    send(town, case.business_key)
    assert stands(town, case.case) == ["ua"]
    send(town, case.business_key, ident="m2")
    assert sorted(stands(town, case.case)) == ["ua", "ub"]


def test_a_message_reaches_the_case_of_its_key_and_no_other(town: Hall) -> None:
    town.put(waiting("keyed", key="'A-' + order"), waiting("nokey", key="order['missing']"))
    one = begin(town, "nokey")
    stuck = go_on(town, one)
    assert stuck.incidents == 1  # a key that cannot be evaluated is an incident of its element
    [incident] = [i for i in c.incidents(town.office, town["supervisor1"]) if i.case_id == one.case]
    assert incident.element == "nokey/pay"
    two, three = begin(town), begin(town)
    go_on(town, two)
    go_on(town, three)
    send(town, three.business_key)
    assert (stands(town, two.case), stands(town, three.case)) == ([], ["after"])


# -- content
def test_content_that_does_not_fit_is_refused_with_every_bad_field(town: Hall) -> None:
    case = begin(town)
    for waits in (False, True):
        if waits:
            go_on(town, case)
        with pytest.raises(Invalid) as caught:
            c.deliver_message(
                town.office,
                town["issue1"],
                name="paid",
                key=case.business_key,
                payload={"amount": 0, "more": 1},
                message_id="bad",
            )
        assert {f.where for f in caught.value.findings} == {"payload.amount", "payload.more"}
    assert c.kept_messages(town.office, town["system1"]) == ()
    assert "message.delivered" not in town.kinds(case.case)


def test_a_message_without_a_schema_carries_nothing(town: Hall) -> None:
    bare = declared("paid", sender="issue_clerk")
    body = (d.start(), d.catch("pay", "paid into "), d.end(), d.flow("s", "pay", "e"))
    body = (d.start(), d.element("intermediateCatchEvent", "pay", d.message(ref="paid")), d.end(), body[-1])
    town.put(drawn("bare", "s pay e", *body, more=bare))
    case = begin(town, "bare")
    with pytest.raises(Invalid) as caught:
        send(town, case.business_key)
    assert [f.where for f in caught.value.findings] == ["payload"]
    done = c.deliver_message(
        town.office, town["issue1"], name="paid", key=case.business_key, payload={}, message_id="m"
    )
    assert done.status == "delivered"


# -- rights
def test_who_may_send(town: Hall) -> None:
    case = begin(town)
    with pytest.raises(Forbidden):
        send(town, case.business_key, by="examiner1")
    go_on(town, case)
    with pytest.raises((Forbidden, NothingWaits)):
        send(town, case.business_key, by="examiner1")
    assert send(town, case.business_key, by="counter1", ident="own").status == "delivered"


def test_who_may_send_but_not_to_this_case_learns_nothing_and_the_case_gets_nothing(town: Hall) -> None:
    """A registrar's role is named, but this one's department is not the hall: keys can be guessed."""
    town.put(waiting(more=declared("paid", schema="messages/paid.json", sender="registrar")))
    case = begin(town)
    go_on(town, case)
    told = send(town, case.business_key, by="registrar1")
    nobody = send(town, "nobody", ident="m2", by="registrar1")
    assert (told.status, told.case) == (nobody.status, nobody.case) == ("kept", None)
    assert send(town, case.business_key, by="registrar1") == told
    work(town)
    assert stands(town, case.case) == []
    assert [i.code for i in c.stuck_messages(town.office, town["system1"])] == ["message_forbidden"]


def test_what_was_kept_is_delivered_by_the_rights_its_sender_has_then(town: Hall) -> None:
    case = begin(town)
    sent = send(town, case.business_key)
    with town.office.store.transaction() as tx:
        tx.set_memberships(town["issue1"].account, [])
    go_on(town, case)
    work(town)
    assert stands(town, case.case) == []
    [incident] = c.stuck_messages(town.office, town["system1"])
    assert (incident.id, incident.code) == (sent.message, "message_forbidden")
    assert "attempt.refused" in town.kinds(case.case)


# -- start messages
def test_a_message_starts_one_case_for_its_key(town: Hall) -> None:
    town.put(ordered(), alone=True)
    first = send(town, "K-1", by="counter1")
    assert first.status == "started"
    assert send(town, "K-1", by="counter1") == first
    with pytest.raises(AlreadyStarted):
        send(town, "K-1", by="counter1", ident="m2")
    other = send(town, "K-2", by="counter1", ident="m3")
    assert other.case not in (None, first.case)
    assert stands(town, first.case) == ["look"]
    assert value(town, first.case, "payment") == {"amount": 5}
    assert replays(town, first.case) == 1
    with pytest.raises(Forbidden):
        send(town, "K-9", by="examiner1", ident="m9")


def test_what_only_a_message_starts_is_offered_to_nobody(town: Hall) -> None:
    town.put(ordered())
    rows = {row.key: row.startable for row in c.process_definitions(town.office, town["counter1"])}
    assert rows == {"ordered": False, "waiting": True}
    with pytest.raises(Invalid):
        c.start_case(town.office, town["counter1"], "ordered", {})


def test_two_who_start_a_case_by_one_key_at_once_start_one(town: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    town.put(ordered(), alone=True)
    told: list[object] = []

    def second() -> None:
        try:
            told.append(send(town, "K-1", by="counter2", ident="m2"))
        except AlreadyStarted as refusal:
            told.append(refusal)

    rival = threading.Thread(target=second)
    taken = Transaction.take_start

    def slowly(tx: Transaction, *given: object) -> bool:
        found = taken(tx, *given)
        if not rival.ident:
            rival.start()
            until_a_rival_waits(town.office.store)
        return found

    monkeypatch.setattr(Transaction, "take_start", slowly)
    first = send(town, "K-1", by="counter1")
    rival.join()
    assert first.status == "started"
    assert [type(each) for each in told] == [AlreadyStarted]
    assert len(c.cases(town.office, town["supervisor1"]).items) == 1


def test_a_case_that_waits_comes_before_a_case_that_would_be_started(town: Hall) -> None:
    start = d.element("startEvent", "s", d.message("payment", ref="paid"))
    catch = d.element("intermediateCatchEvent", "more", d.message("payment", ref="paid"))
    body = (start, catch, d.user("look"), d.end(), d.flow("s", "more", "look", "e"))
    town.put(drawn("ordered", "s more look e", *body, more=PAYMENT))
    first = send(town, "K-1", by="counter1", amount=1)
    second = send(town, "K-1", by="counter1", ident="m2", amount=2)
    assert (first.status, second.status) == ("started", "delivered")
    assert second.case == first.case
    assert value(town, second.case, "payment") == {"amount": 2}
    third = send(town, "K-1", ident="m3")
    assert third.status == "kept"  # its key has its case, which may wait again


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
