"""Timers, deadlines and messages: each at its own moment, each in its own place."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from engine import bpmn
from engine.bpmn import timers
from engine.errors import InputRejected
from tests.diagrams import (
    T0,
    Play,
    boundary,
    catch,
    element,
    end,
    flow,
    gateway,
    message,
    start,
    user,
)

SHANGHAI = timezone(timedelta(hours=8))


# -- time
def test_each_timer_fires_at_its_own_moment_and_what_it_starts_counts_from_there() -> None:
    body = (start(), catch("c1", "timer PT1H"), catch("c2", "timer PT1H"), user("a"))
    p = Play(*body, flow("s", "c1", "c2", "a")).later(hours=5)
    moments = {e.element: e.at for e in p.history if e.kind == "event.caught"}
    assert moments == {"P/c1": T0 + timedelta(hours=1), "P/c2": T0 + timedelta(hours=2)}
    assert next(e.at for e in p.history if e.element == "P/a") == T0 + timedelta(hours=2)


def deadline_case() -> Play:
    body = (
        start(),
        user("a"),
        boundary("b", "a", "date deadline('statutory')"),
        user("z"),
        flow("s", "a"),
        flow("b", "z"),
    )
    return Play(*body)


def test_a_deadline_timer_has_no_moment_but_the_one_the_caller_gives() -> None:
    p = deadline_case()
    wait = p.step.waits[0]
    assert (wait.kind, wait.deadline, wait.due) == ("timer", "statutory", None)
    assert p.due is None
    assert p.later(days=100).open == ["a"]
    p.moments = {"statutory": p.now + timedelta(days=1)}
    assert p.due == p.now + timedelta(days=1)
    assert p.later(hours=23).open == ["a"]
    p.moments = {"statutory": p.now + timedelta(days=3)}
    assert p.later(days=1).open == ["a"]
    assert p.later(days=2).open == ["z"]
    assert "2026-04" not in p.step.state.decode().replace(json.loads(p.step.state)["at"], "")
    caught = next(e for e in p.history if e.kind == "event.caught")
    assert (caught.at, caught.detail) == (p.moments["statutory"], {"kind": "timer", "name": "statutory"})


def test_a_deadline_moved_into_the_past_fires_now_and_history_does_not_run_backwards() -> None:
    p = deadline_case()
    p.later(days=10)
    p.moments = {"statutory": T0 + timedelta(days=1)}
    assert p.later(days=1).open == ["z"]
    assert next(e for e in p.history if e.kind == "event.caught").at == T0 + timedelta(days=10)


def test_a_fired_timer_is_not_waited_for_any_more() -> None:
    body = (
        start(),
        user("a"),
        boundary("b", "a", "date deadline('x')", False),
        user("z"),
        flow("s", "a"),
        flow("b", "z"),
    )
    p = Play(*body)
    p.moments = {"x": T0}
    assert p.later(hours=1).open == ["a", "z"]
    assert p.step.waits == ()
    assert p.later(hours=1).open == ["a", "z"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("begin", "duration", "result"),
    [
        ("2026-01-31T09:00", "P1M", "2026-02-28T09:00"),
        ("2028-01-31T09:00", "P1M", "2028-02-29T09:00"),
        ("2026-01-31T09:00", "P2M", "2026-03-31T09:00"),
        ("2028-02-29T09:00", "P1Y", "2029-02-28T09:00"),
        ("2026-03-01T00:30", "P1M", "2026-04-01T00:30"),
        ("2026-12-31T09:00", "P1Y2M", "2028-02-29T09:00"),
        ("2026-01-05T09:00", "P1W", "2026-01-12T09:00"),
        ("2026-01-05T09:00", "P1DT1H30M", "2026-01-06T10:30"),
        ("2026-01-05T09:00", "PT0.5H", "2026-01-05T09:30"),
    ],
)
def test_durations_follow_civil_law_in_shanghai(begin: str, duration: str, result: str) -> None:
    assert timers.shift(at(begin).astimezone(UTC), duration) == at(result)


@pytest.mark.parametrize("text", ["", "P", "PT", "P1X", "1H", "P1H", "PT1D", "P1.5M", None, 3, "P99999Y", "P1M\n1"])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        timers.shift(T0, text)


def test_a_time_without_zone_is_shanghais() -> None:
    p = Play(start(), catch("c", 'date "2026-01-06T09:00"'), user("a"), flow("s", "c", "a"))
    assert p.due == at("2026-01-06T09:00")
    assert p.due == datetime(2026, 1, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "words", ["timer 'soon'", "date 'never'", "cycle 'R0/PT1H'", "cycle 'PT1H'", "timer 3", "timer w"]
)
def test_a_timer_without_moment_is_an_incident(words: str) -> None:
    p = Play(start(), catch("c", words), flow("s", "c"))
    assert p.codes == ["unknown_name" if words == "timer w" else "timer_invalid"]


# -- messages
def test_a_message_lands_in_its_one_variable_or_nowhere() -> None:
    body = (start(), catch("c", "msg"), catch("d", "msg2 into x"), user("z"), flow("s", "c", "d", "z"))
    p = Play(*body, data={"y": 1}).deliver("message", "msg", {"y": 2, "z": 3})
    assert p.data == {"y": 1}
    assert p.deliver("message", "msg2", {"y": 2}).data == {"y": 1, "x": {"y": 2}}


def test_the_correlation_key_is_the_business_key_or_the_messages_own_expression() -> None:
    own = element("intermediateCatchEvent", "d", message(key="'no-' + number", ref="msg2"))
    p = Play(start(), gateway("g"), catch("c", "msg"), own, flow("s", "g", "c"), flow("g", "d"), data={"number": "7"})
    assert {w.name: w.key for w in p.step.waits} == {"msg": "K1", "msg2": "no-7"}
    wrong = element("intermediateCatchEvent", "d", message(key="number", ref="msg2"))
    assert Play(start(), wrong, flow("s", "d"), data={"number": []}).codes == ["correlation_failed"]


def test_a_thrown_message_is_sent_with_key_and_payload() -> None:
    out = element("intermediateThrowEvent", "t", message(payload="{'n': n}", key="to"))
    p = Play(start(), out, end(), flow("s", "t", "e"), data={"n": 1, "to": "other"})
    assert [(s.name, s.key, s.payload, s.element) for s in p.sent] == [("msg", "other", {"n": 1}, "P/t")]


def test_of_two_waiters_of_one_message_the_named_one_gets_it() -> None:
    body = (start(), gateway("g"), catch("a", "msg"), catch("b", "msg"), user("x"), user("y"))
    p = Play(*body, flow("s", "g", "a", "x"), flow("g", "b", "y"))
    second = next(w for w in p.step.waits if w.element == "P/b")
    p.call(bpmn.deliver, p.now, second.number, None, state=p.step.state)
    assert p.open == ["y"]
    with pytest.raises(InputRejected):
        bpmn.deliver(p.definition, p.step.state, p.now, second.number, None)
