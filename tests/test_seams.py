"""Where verbs, worker, store and machine meet: lateness, failures, repetitions and rivals lose and double nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from engine import bpmn, documents, worker
from engine import commands as c
from engine.bpmn import gate
from engine.commands import publishing
from engine.connectors import HttpGateway, Undeliverable
from engine.errors import Invalid, NothingWaits, StaleRevision, TaskLapsed, TaskNotOpen
from engine.model import CaseStatus, Event, Library, Once, Outcome
from engine.store import new_id
from tests import diagrams as d
from tests.district import PASSWORD, make_district
from tests.processes import answers as a
from tests.town import LIBRARY, Town


def begun(town: Town, *body: str, nodes: str, ident: str = "drawn", more: str = "") -> Outcome:
    """A case of a diagram put in force beside the library (past the gate, which would refuse some on purpose)."""
    drawn = d.process(d.lanes(d.lane("intake_clerk", "'liwan/hall'", *nodes.split())), *body, ident=ident, more=more)
    before = town.office.published().entries
    with town.office.store.transaction() as tx:
        digest = tx.put_artefact("process", ident, drawn)
        tx.publish({**before, "process": {**before["process"], ident: digest}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])
    return c.start_case(town.office, town["counter1"], ident, {})


def act(ident: str, **acts: str) -> str:
    """A none event at which something is done."""
    return d.throw(ident, inner=d.properties(**acts))


def deadlines_of(town: Town, case: UUID) -> list[tuple[str, str]]:
    with town.office.store.transaction() as tx:
        return [(row.deadline.kind, row.deadline.status) for row in tx.lock_case(case).deadlines]


# -- lateness
def test_a_deadline_met_in_time_is_no_breach_though_the_worker_came_late(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        act("from_here", starts="delivery"),
        d.catch("an_hour", 'timer "PT1H"'),
        act("done", meets="delivery"),
        d.user("last"),
        d.end(),
        d.flow("s", "from_here", "an_hour", "done", "last", "e"),
        nodes="s from_here an_hour done last e",
    )
    town.advance(days=60)
    c.fire_due(town.office, case.case)
    assert deadlines_of(town, case.case) == [("delivery", "met")]


def test_what_became_due_while_nobody_looked_happens_in_its_order(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        d.gateway("both"),
        d.catch("an_hour", 'timer "PT1H"'),
        act("from_then", starts="correction_period"),
        d.end("e2"),
        d.user("wait"),
        d.boundary("lapsed", "wait", "date deadline('correction_period')"),
        d.boundary("late", "wait", 'timer "P60D"'),
        d.end(),
        d.end("e3", inner=d.properties(outcome="lapsed")),
        d.end("e4", inner=d.properties(outcome="late")),
        d.flow("s", "both", "wait", "e"),
        d.flow("both", "an_hour", "from_then", "e2"),
        d.flow("lapsed", "e3"),
        d.flow("late", "e4"),
        nodes="s both an_hour from_then e2 wait lapsed late e e3 e4",
    )
    town.advance(days=90)
    c.fire_due(town.office, case.case)
    with town.office.store.transaction() as tx:
        assert tx.lock_case(case.case).outcome == "lapsed"


def test_no_draft_and_no_file_for_what_has_lapsed(town: Town) -> None:
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())
    town.advance(days=30)
    with pytest.raises(TaskLapsed):
        c.save_draft(town.office, town["reviewer1"], now.tasks[0].id, {})
    assert "timer.fired" in town.kinds(first.case)


def test_a_new_calendar_undoes_no_lapse(town: Town) -> None:
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())
    before = c.case_view(town.office, town["counter1"], first.case).deadlines[0]
    town.advance(days=30)
    closed = (before.due_at - timedelta(hours=20)).date().isoformat()
    path = "processes/registers/calendar.csv"
    closure = LIBRARY.files[path] + f"{closed},0,台风停工\n".encode()
    c.publish(town.office, town["designer1"], Library({**LIBRARY.files, path: closure}))
    assert c.case_view(town.office, town["counter1"], first.case).milestone == "accepted"


def test_a_retry_finds_everything_due_already_done(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        d.gateway("both"),
        d.script("breaks", "x = 1 / 0"),
        d.end("e2"),
        d.catch("an_hour", 'timer "PT1H"'),
        d.end(),
        d.flow("s", "both", "breaks", "e2"),
        d.flow("both", "an_hour", "e"),
        nodes="s both breaks e2 an_hour e",
    )
    town.advance(hours=2)
    [incident] = [i for i in c.incidents(town.office, town["supervisor1"]) if i.case_id == case.case]
    c.retry_incident(town.office, town["system1"], incident.id)
    kinds = town.kinds(case.case)
    assert kinds.index("timer.fired") < kinds.index("incident.retried")


# -- what is stuck is seen
def test_a_deadlock_of_the_diagram_is_an_incident(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        d.gateway("one", "exclusive", default="one_join"),
        d.task("other"),
        d.gateway("join"),
        d.end(),
        d.flow("s", "one"),
        d.flow("one", "join"),
        d.flow("one", "other", when="1 == 2"),
        d.flow("other", "join"),
        d.flow("join", "e"),
        nodes="s one other join e",
    )
    assert case.incidents == 1
    [incident] = [i for i in c.incidents(town.office, town["supervisor1"]) if i.case_id == case.case]
    assert incident.code == "deadlock"
    assert c.retry_incident(town.office, town["system1"], incident.id).incidents == 1


def test_a_kind_of_deadline_begun_again_leaves_no_second_one_running(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        act("first", starts="delivery"),
        act("again", starts="delivery"),
        d.user("wait"),
        d.end(),
        d.flow("s", "first", "again", "wait", "e"),
        nodes="s first again wait e",
    )
    assert deadlines_of(town, case.case) == [("delivery", "dropped"), ("delivery", "running")]


def test_a_timer_whose_act_fails_is_an_incident_and_keeps_nobody_from_their_turn(town: Town) -> None:
    stuck = begun(
        town,
        d.start(),
        act("from_here", starts="delivery"),
        d.catch("an_hour", 'timer "PT1H"'),
        act("resumed", resumes="delivery"),
        d.user("wait"),
        d.end(),
        d.flow("s", "from_here", "an_hour", "resumed", "wait", "e"),
        nodes="s from_here an_hour resumed wait e",
    )
    town.advance(hours=2)
    while town.worker.once():
        pass
    assert [i.code for i in c.incidents(town.office, town["supervisor1"]) if i.case_id == stuck.case] == [
        "firing_failed"
    ]


def test_a_case_that_breaks_the_worker_is_seen_and_passed_over(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def waiting(ident: str) -> UUID:
        body = (d.start(), d.catch("an_hour", 'timer "PT1H"'), d.end(), d.flow("s", "an_hour", "e"))
        return begun(town, *body, nodes="s an_hour e", ident=ident).case

    poisoned, sound = waiting("one"), waiting("two")
    fire = bpmn.fire

    def broken(definition, *given, **named):
        if definition.root == "one":
            raise KeyError("a name nobody may read in a log")
        return fire(definition, *given, **named)

    monkeypatch.setattr(bpmn, "fire", broken)
    town.advance(hours=2)
    while town.worker.once():
        pass
    assert c.case_view(town.office, town["supervisor1"], sound).status is CaseStatus.ENDED
    assert [i.case_id for i in c.incidents(town.office, town["supervisor1"])] == [poisoned]


def test_a_paper_that_cannot_be_rendered_is_an_incident_and_a_retry_renders_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    render, broken = documents.render, [True]

    def rendering(template, values):
        if broken[0] and "number" in values:
            raise RuntimeError("unforeseen")
        return render(template, values)

    monkeypatch.setattr(worker.documents, "render", rendering)
    case = town.shop()
    for _ in range(6):
        while town.worker.once():
            pass
        town.advance(minutes=40)
    assert town.sms.texts, "a paper that fails keeps no message back"
    [incident] = c.incidents(town.office, town["supervisor1"])
    broken[0] = False
    once = Once(key="k", route="retry", digest="d")
    done = c.retry_incident(town.office, town["system1"], incident.id, once=once)
    assert c.retry_incident(town.office, town["system1"], incident.id, once=once) == done
    while town.worker.once():
        pass
    [paper] = c.case_view(town.office, town["counter1"], case.case).documents
    assert paper.rendered


def test_a_gateway_that_points_elsewhere_has_taken_nothing() -> None:
    gateway = HttpGateway("http://sms.example/send")
    gateway._client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(302)))
    with pytest.raises(Undeliverable):
        gateway.send(new_id(), "199", "text")


# -- the same request again
def test_a_message_repeated_under_its_key_has_its_first_answer(town: Town) -> None:
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())
    told = {"name": "withdrawal", "key": first.business_key, "payload": {"reason": "因故"}, "message_id": "m-1"}
    once = Once(key="k", route="messages", digest="d")
    done = c.deliver_message(town.office, town["counter1"], **told, once=once)
    assert c.deliver_message(town.office, town["counter1"], **told, once=once) == done
    with pytest.raises(NothingWaits):
        c.deliver_message(town.office, town["counter2"], **told, once=once)


def test_a_timer_that_would_stand_still_is_never_armed(town: Town) -> None:
    body = (d.start(), d.catch("often", 'cycle "R/PT0S"'), d.user("wait"), d.end(), d.flow("s", "often", "wait", "e"))
    case = begun(town, *body, nodes="s often wait e")
    assert [i.code for i in c.incidents(town.office, town["supervisor1"]) if i.case_id == case.case] == [
        "timer_invalid"
    ]


def test_nobody_takes_a_number_that_the_district_will_give(town: Town) -> None:
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    following = f"{first.business_key[:-4]}{int(first.business_key[-4:]) + 1:04d}"
    with pytest.raises(Invalid):
        c.start_case(town.office, town["counter1"], "food_business_permit", {}, business_key=following)
    assert c.start_case(town.office, town["counter1"], "food_business_permit", {}).business_key == following


def test_two_designers_who_publish_at_once_lose_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = "processes/registers/notes_one.csv", "processes/registers/notes_two.csv"
    check = gate.check

    def rival(library: Library):
        monkeypatch.setattr(publishing.gate, "check", check)
        c.publish(town.office, town["designer1"], Library({one: b"a,b\n1,2\n"}), alone=False)
        return check(library)

    monkeypatch.setattr(publishing.gate, "check", rival)
    with pytest.raises(StaleRevision):
        c.publish(town.office, town["designer1"], Library({two: b"a,b\n1,2\n"}), alone=False)
    c.publish(town.office, town["designer1"], Library({two: b"a,b\n1,2\n"}), alone=False)
    assert {one, two} <= publishing.published_library(town.office).files.keys()


def test_who_is_too_late_for_a_withdrawn_case_is_told_who_withdrew_it(town: Town) -> None:
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())
    c.withdraw_case(town.office, town["counter1"], first.case, "因故")
    with pytest.raises(TaskNotOpen) as caught:
        c.complete_task(town.office, town["reviewer1"], now.tasks[0].id, a.COMPLETE)
    assert caught.value.facts["by"] == town["counter1"].display_name


def test_a_calendar_reaches_the_case_that_was_started_beside_its_publication(town: Town) -> None:
    path = "processes/registers/calendar.csv"
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())
    before = c.case_view(town.office, town["counter1"], first.case).deadlines[0]
    closed = (before.due_at - timedelta(hours=20)).date().isoformat()
    closure = LIBRARY.files[path] + f"{closed},0,台风停工\n".encode()
    with pytest.MonkeyPatch.context() as patch:  # as if the process had died right after the publication
        patch.setattr(publishing, "follow_calendar", lambda _: 0)
        c.publish(town.office, town["designer1"], Library({**LIBRARY.files, path: closure}))
    while town.worker.once():
        pass
    assert c.case_view(town.office, town["counter1"], first.case).deadlines[0].due_at > before.due_at


def test_a_calendar_reaches_what_was_computed_by_the_old_one_meanwhile(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.worker.once()
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    old = town.office.current_calendar()
    path = "processes/registers/calendar.csv"
    coming = (c.now(town.office) + timedelta(days=day) for day in range(1, 7))
    closure = LIBRARY.files[path] + b"".join(f"{day:%Y-%m-%d},0,closed\n".encode() for day in coming)
    c.publish(town.office, town["designer1"], Library({**LIBRARY.files, path: closure}))
    town.worker.once()
    with monkeypatch.context() as patch:
        patch.setattr(town.office, "current_calendar", lambda: old)
        c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())
    before = c.case_view(town.office, town["counter1"], first.case).deadlines[0]
    patient = worker.LONGEST_VERB
    monkeypatch.setattr(worker, "monotonic", lambda: 1e9 + patient)
    town.worker.once()
    assert c.case_view(town.office, town["counter1"], first.case).deadlines[0].due_at > before.due_at


def test_a_repeated_request_moves_the_clock_once_and_opens_one_account(tmp_path: Path) -> None:
    district = make_district(tmp_path)
    system, security = district.client("system"), district.client("security")
    key = {"Idempotency-Key": "k"}
    first = system.post("/api/clock/advance", json={"by": "PT1H"}, headers=key).json()
    assert system.post("/api/clock/advance", json={"by": "PT1H"}, headers=key).json() == first
    wanted = {"name": "newcomer", "display_name": "演示新人", "password": PASSWORD, "memberships": []}
    made = security.post("/api/accounts", json=wanted, headers=key)
    assert made.status_code == 201
    assert security.post("/api/accounts", json=wanted, headers=key).json() == made.json()
