"""Messages reach one receiver, once: who waits, the process they start, or who will wait; from outside and cases."""

from __future__ import annotations

import threading

import pytest

from engine import bpmn
from engine import commands as c
from engine.commands.cases import opened
from engine.errors import AlreadyStarted, Forbidden, Invalid, KeyReused, NotFound, NothingWaits
from engine.model import CaseStatus, Once, Outcome
from engine.store import Store, Transaction, verify
from engine.worker import Worker
from tests import diagrams as d
from tests.letters import (
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
    waiting,
    work,
)
from tests.test_replay import replays
from tests.waiting import until_a_rival_waits


@pytest.fixture
def town(store: Store) -> Hall:
    return Hall(store)


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
