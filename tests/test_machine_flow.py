"""Splits, joins, loops, links, terminate: what the bare library refuses or runs wrong."""

from __future__ import annotations

import pytest

from engine import bpmn
from engine.errors import Refused
from tests.diagrams import (
    T0,
    Play,
    catch,
    definition,
    element,
    end,
    flow,
    gateway,
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
