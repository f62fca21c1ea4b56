"""Called processes keep their variables apart; what fails stays where it failed and is tried again there."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine import bpmn
from engine.errors import InputRejected
from tests.diagrams import (
    T0,
    Play,
    call,
    end,
    extensions,
    flow,
    gateway,
    io,
    process,
    script,
    start,
    sub,
    task,
    user,
)


def test_call_activity_keeps_its_variables_apart() -> None:
    called = process(
        io("x", "x"), start("s2"), script("in", "x = x + 1\ny = 5"), end("e2"), flow("s2", "in", "e2"), ident="Q"
    )
    caller = process(start(), call("c", "Q"), user("z"), flow("s", "c", "z"))
    p = Play(files=(caller, called), data={"x": 1, "z": 3})
    assert p.data == {"x": 2, "z": 3}


def test_same_sub_process_id_in_two_processes_is_no_trouble() -> None:
    body = (sub("u", start("us"), user("a"), end("ue"), flow("us", "a", "ue")),)
    caller = process(start(), *body, call("c", "Q"), flow("s", "u", "c"))
    p = Play(files=(caller, process(start(), *body, flow("s", "u"), ident="Q")))
    assert p.step.work[0].element == "P/u/a"
    assert p.complete("a").step.work[0].element == "Q/u/a"
    assert p.complete("a").outcome == "completed"


def test_same_input_gives_the_same_bytes() -> None:
    body = (start(), gateway("g"), user("a"), sub("u", user("b")), flow("s", "g", "a"), flow("g", "u"))
    assert Play(*body, data={"x": [1]}).step.state == Play(*body, data={"x": [1]}).step.state


def test_two_names_never_share_a_list() -> None:
    p = Play(
        start(),
        script("a", "y = x\ny[0] = 1"),
        script("b", "y[0] = 2"),
        user("z"),
        flow("s", "a", "b", "z"),
        data={"x": [0]},
    )
    assert p.data == {"x": [0], "y": [2]}


def test_a_failed_script_changes_nothing() -> None:
    p = Play(start(), script("a", "x[0] = 1\ny = nowhere"), flow("s", "a"), data={"x": [0]})
    assert p.data == {"x": [0]}
    assert p.codes == ["unknown_name"]


def test_completed_work_cannot_be_completed_again() -> None:
    p = Play(start(), user("a"), user("b"), flow("s", "a", "b"))
    old = p.step.work[0].token
    p.complete("a")
    with pytest.raises(InputRejected):
        bpmn.complete(p.definition, p.step.state, T0, old, {})


def test_awkward_values_survive() -> None:
    data: dict[str, Any] = {
        "d": date(2026, 1, 1),
        "t": datetime(2026, 1, 1, 2),  # noqa: DTZ001 - a naive one must survive too
        "x": Decimal("1.10"),
        "l": timedelta(microseconds=3),
        "typename": {"typename": "UUID", "$": ["date", 1]},
        "n": None,
    }
    p = Play(start(), task("a"), user("b"), flow("s", "a", "b"), data=data)
    assert p.data == data
    with pytest.raises(InputRejected) as caught:
        bpmn.start(p.definition, T0, {"bad": object()}, business_key="K")
    assert caught.value.findings[0].rule == "value_not_storable"


def test_start_quantity() -> None:
    p = Play(
        start(),
        gateway("g"),
        user("a"),
        user("b"),
        user("z", startQuantity="2"),
        end(),
        flow("s", "g", "a", "z"),
        flow("g", "b", "z", "e"),
    )
    assert p.complete("a").open == ["b"]
    assert p.complete("b").open == ["z"]
    assert p.complete("z").outcome == "completed"


def test_a_retry_behind_a_start_quantity_does_not_wait_for_new_tokens() -> None:
    before = extensions("<spiffworkflow:preScript>n = missing</spiffworkflow:preScript>")
    p = Play(
        start(),
        gateway("g"),
        user("a"),
        user("z", before, startQuantity="2"),
        user("set"),
        flow("s", "g", "a", "z"),
        flow("g", "z", ident="direct"),
        flow("g", "set"),
    )
    assert p.complete("a").codes == ["unknown_name"]
    assert p.complete("set", {"missing": 1}).retry().open == ["z"]


def test_a_retried_choice_does_not_run_the_after_script_again() -> None:
    after = extensions("<spiffworkflow:postScript>n = n + 1</spiffworkflow:postScript>")
    p = Play(
        start(),
        user("a", after),
        script("c", ""),
        user("b"),
        flow("s", "a", "c"),
        flow("c", "b", when="x > 3"),
        data={"x": 1, "n": 0},
    )
    p.complete("a").retry()
    assert p.data["n"] == 1
    assert p.codes == ["no_flow"]


@pytest.mark.parametrize("bad", [object(), float("nan"), {1: 2}])
def test_answers_that_cannot_be_stored_are_rejected_and_not_quoted(bad: Any) -> None:
    p = Play(start(), user("a"), flow("s", "a"))
    with pytest.raises(InputRejected) as caught:
        p.complete("a", {"field": bad})
    assert caught.value.findings[0].rule == "value_not_storable"
    assert "field" not in str(caught.value)
