"""Splits, joins, loops, links, terminate: what the bare library refuses or runs wrong."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from engine import bpmn
from engine.errors import InputRejected, Refused
from tests.diagrams import (
    T0,
    Play,
    call,
    catch,
    definition,
    element,
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


def test_task_with_several_unconditional_flows_splits() -> None:
    p = Play(start(), task("a"), user("b"), user("c"), end(), flow("s", "a", "b", "e"), flow("a", "c", "e"))
    assert p.open == ["b", "c"]
    assert p.complete("b").complete("c").outcome == "completed"


@pytest.mark.parametrize(("x", "expected"), [(1, ["d"]), (5, ["b"]), (20, ["b", "c"])])
def test_task_with_conditional_and_default_flows(x: int, expected: list[str]) -> None:
    p = Play(
        start(),
        task("a", default="dflt"),
        user("b"),
        user("c"),
        user("d"),
        end(),
        flow("s", "a"),
        flow("a", "b", when="x > 3"),
        flow("a", "c", when="x > 10"),
        flow("a", "d", ident="dflt"),
        flow("b", "e"),
        flow("c", "e"),
        flow("d", "e"),
        data={"x": x},
    )
    assert p.open == expected


def test_condition_on_the_only_flow_of_a_task_counts() -> None:
    p = Play(start(), task("a"), user("b"), flow("s", "a"), flow("a", "b", when="x > 3"), data={"x": 1})
    assert p.open == []
    assert p.codes == ["no_flow"]
    assert p.outcome is None


def test_incident_is_retried_without_running_the_script_again() -> None:
    p = Play(
        start(),
        script("a", "n = n + 1"),
        user("b"),
        end(),
        flow("s", "a"),
        flow("a", "b", when="x > 3"),
        flow("b", "e"),
        data={"x": 1, "n": 0},
    )
    p.retry()
    assert p.data["n"] == 1
    assert p.step.incidents


def test_parallel_branches_do_not_overwrite_each_other() -> None:
    p = Play(
        start(),
        gateway("g"),
        user("a"),
        user("b"),
        gateway("j"),
        user("z"),
        end(),
        flow("s", "g", "a", "j"),
        flow("g", "b", "j", "z", "e"),
        data={"v": 0, "case": {"status": "new"}},
    )
    p.complete("a", {"v": "A", "case": {"status": "A-approved"}}).complete("b", {"w": 1})
    assert p.open == ["z"]
    assert p.data == {"v": "A", "w": 1, "case": {"status": "A-approved"}}


def test_parallel_join_in_a_loop() -> None:
    p = Play(
        start(),
        gateway("m", "exclusive"),
        gateway("g"),
        user("a"),
        user("b"),
        gateway("j"),
        gateway("x", "exclusive", default="out"),
        end(),
        flow("s", "m", "g", "a", "j", "x"),
        flow("g", "b", "j"),
        flow("x", "m", when="again"),
        flow("x", "e", ident="out"),
        data={"again": True},
    )
    p.complete("a").complete("b")
    assert p.open == ["a", "b"]
    assert p.complete("b", {"again": False}).complete("a").outcome == "completed"


def test_a_deadlock_of_the_diagram_is_reported() -> None:
    p = Play(
        start(),
        gateway("x", "exclusive"),
        user("a"),
        user("b"),
        gateway("j"),
        end(),
        flow("s", "x"),
        flow("x", "a", when="True"),
        flow("x", "b", when="False"),
        flow("a", "j", "e"),
        flow("b", "j"),
    )
    assert not p.step.stuck
    assert p.complete("a").step.stuck


def test_excess_tokens_at_a_join_stay_for_the_next_round() -> None:
    p = Play(
        start(),
        task("f"),
        gateway("m", "exclusive"),
        user("a"),
        user("b"),
        gateway("j"),
        user("z"),
        end(),
        flow("s", "f", "m", "a", "j", "z", "e"),
        flow("f", "n"),
        task("n"),
        flow("n", "m"),
        flow("f", "b", "j"),
    )
    assert p.open == ["a", "a", "b"]
    assert p.complete("a").complete("a").open == ["b"]
    assert p.complete("b").open == ["z"]
    assert p.complete("z").outcome is None


def test_inclusive_join_waits_only_for_what_can_come() -> None:
    p = Play(
        start(),
        gateway("g", "inclusive"),
        user("a"),
        user("b"),
        user("c"),
        gateway("j", "inclusive"),
        user("z"),
        end(),
        flow("s", "g"),
        flow("g", "a", when="x > 0"),
        flow("g", "b", when="x > 1"),
        flow("g", "c", when="x > 2"),
        flow("a", "j"),
        flow("b", "j"),
        flow("c", "j", "z", "e"),
        data={"x": 2},
    )
    assert p.open == ["a", "b"]
    assert p.complete("a").open == ["b"]
    assert p.complete("b").open == ["z"]


def complex_join(*flows: str) -> Play:
    """Two of three branches start it."""
    return Play(
        start(),
        gateway("g"),
        user("a"),
        user("b"),
        user("c"),
        element("complexGateway", "j", "<activationCondition>activationCount >= 2</activationCondition>"),
        user("first"),
        user("second"),
        flow("s", "g"),
        *(flow("g", n, "j") for n in "abc"),
        *flows,
    )


def test_a_complex_join_fires_once_and_takes_up_the_rest_of_the_round() -> None:
    p = complex_join(flow("j", "first", when="waitingForStart"))
    assert p.complete("a").open == ["b", "c"]
    assert p.complete("b").open == ["c", "first"]
    assert p.complete("c").open == ["first"]
    assert p.complete("first").outcome == "completed"


def test_a_complex_join_has_a_second_output_when_the_rest_of_the_round_has_come() -> None:
    p = complex_join(flow("j", "first", when="waitingForStart"), flow("j", "second", when="not waitingForStart"))
    assert p.complete("a").complete("c").open == ["b", "first"]
    assert p.complete("b").open == ["first", "second"]


def test_a_complex_join_chooses_flows_without_condition_in_both_phases_as_the_standard_says() -> None:
    p = complex_join(flow("j", "first"))
    assert p.complete("a").complete("b").open == ["c", "first"]
    assert p.complete("c").open == ["first", "first"]


def test_a_complex_join_resets_when_the_rest_of_the_round_can_not_come_any_more() -> None:
    p = Play(
        start(),
        gateway("g"),
        user("a"),
        user("b"),
        gateway("x", "exclusive", default="x_e"),
        element("complexGateway", "j", "<activationCondition>activationCount >= 1</activationCondition>"),
        user("first"),
        user("second"),
        end(),
        flow("s", "g", "a", "j"),
        flow("g", "b", "x", "e"),
        flow("x", "j", when="k == 1"),
        flow("j", "first", when="waitingForStart"),
        flow("j", "second", when="not waitingForStart"),
        data={"k": 0},
    )
    assert p.complete("a").complete("first").open == ["b"]
    assert p.complete("b").open == ["second"]  # the last token of the scope: it does not end before the reset
    assert p.complete("second").outcome == "completed"


def test_a_failed_activation_condition_counts_its_token_once() -> None:
    p = Play(
        start(),
        gateway("g"),
        user("a"),
        user("b"),
        element("complexGateway", "j", "<activationCondition>activationCount >= need</activationCondition>"),
        user("z"),
        flow("s", "g", "a", "j"),
        flow("g", "b", "j"),
        flow("j", "z", when="waitingForStart"),
    )
    assert p.complete("a").codes == ["unknown_name"]
    assert p.complete("b", {"need": 2}).codes == ["unknown_name"]
    assert p.retry().open == ["z"]


def throw_link(ident: str, name: str) -> str:
    return element("intermediateThrowEvent", ident, f'<linkEventDefinition name="{name}"/>')


def test_link_events() -> None:
    body = (start(), throw_link("out", "L"), catch("in", "link L"), user("a"), end())
    p = Play(*body, flow("s", "out"), flow("in", "a", "e"))
    assert p.complete("a").outcome == "completed"


def test_link_without_target_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        Play(start(), throw_link("out", "L"), flow("s", "out"))
    assert caught.value.findings[0].where.endswith("#out")


def test_terminate_stops_the_parallel_branch_at_once() -> None:
    p = Play(
        start(),
        gateway("g"),
        task("a"),
        task("b"),
        script("c", "ran = True"),
        end("t", "term"),
        end(),
        flow("s", "g", "a", "t"),
        flow("g", "b", "c", "e"),
        data={"ran": False},
    )
    assert p.outcome == "terminated"
    assert p.data["ran"] is False


def test_terminate_in_a_sub_process_ends_only_that() -> None:
    inner = sub("u", start("s1"), gateway("g"), user("a"), end("t", "term"), flow("s1", "g", "a"), flow("g", "t"))
    p = Play(start(), inner, user("z"), end(), flow("s", "u", "z", "e"))
    assert p.open == ["z"]


def test_five_thousand_rounds() -> None:
    body = (
        start(),
        script("a", "n = n + 1"),
        gateway("x", "exclusive", default="out"),
        end(),
        flow("s", "a", "x"),
        flow("x", "a", when="n < 5000"),
        flow("x", "e", ident="out"),
    )
    step = bpmn.start(definition(process(*body)), T0, {"n": 0}, business_key="K")
    assert step.outcome == "completed"
    assert len(step.state) < 500


def test_ten_split_join_pairs_stay_small() -> None:
    body, last = [start(), end()], "s"
    for i in range(10):
        body += [gateway(f"g{i}"), task(f"a{i}"), task(f"b{i}"), gateway(f"j{i}")]
        body += [flow(last, f"g{i}", f"a{i}", f"j{i}"), flow(f"g{i}", f"b{i}", f"j{i}")]
        last = f"j{i}"
    p = Play(*body, flow(last, "e"))
    assert p.outcome == "completed"
    assert len(p.step.state) < 500


def test_an_element_may_be_called_start() -> None:
    assert Play(start("Start"), user("End"), flow("Start", "End")).open == ["End"]


def test_sub_process_without_start_and_end_events() -> None:
    p = Play(start(), sub("u", user("a"), user("b")), user("z"), flow("s", "u", "z"))
    assert p.open == ["a", "b"]
    assert p.complete("a").complete("b").open == ["z"]


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
