"""Which variables a process reads and sets: expressions that parse, names that exist, branches that do not collide."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

from engine.bpmn import timers
from engine.bpmn.definition import Node, Process, Scope, Trigger
from engine.bpmn.expressions.syntax import Mode
from engine.bpmn.gate.drawing import World
from engine.bpmn.gate.reading import assigned, item_keys, names, problems
from engine.bpmn.gate.sentences import expression, finding
from engine.bpmn.gate.shape import reach
from engine.bpmn.nodes import ACTIVITIES
from engine.errors import Finding

_BARE_TIME = re.compile(r"^(R\d*/|P\d|PT\d|\d{4}-\d\d)")
_COUNTERS = {"numberOfInstances", "numberOfCompletedInstances", "numberOfActiveInstances"}
"""What the expressions of a multi-instance activity may look at besides variables (BPMN 2.0 table 10.31)."""
_SPLITS = ("parallelGateway", "inclusiveGateway", "complexGateway")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Around:
    """The other processes by key, and the rest of the library."""

    processes: Mapping[str, Process]
    world: World


def check_variables(process: Process, processes: Mapping[str, Process], world: World) -> Iterator[Finding]:
    """Expressions, names, timers, inputs and outputs of one process."""
    around = _Around(processes=processes, world=world)
    known = _known(process, around)
    for scope in process.scopes.values():
        for node in scope.nodes.values():
            yield from _node(process, node, known, world)
            yield from _call(process, node, around, known)
        yield from _collisions(process, scope, around)
    title = process.properties.get("title")
    if title:
        yield from _text(process.file, process.key, title, known, "eval")
        yield from _columns(process.file, process.key, title, "eval", world)
    for name in process.outputs:
        if name not in known:
            yield finding(process.file, process.key, "output_unset", name)


def _node(process: Process, node: Node, known: set[str], world: World) -> Iterator[Finding]:
    file, seen = process.file, known | _local(node)
    for text in _expressions(node, world):
        yield from _text(file, node.id, text, seen | _attributes(node), "eval")
        yield from _columns(file, node.id, text, "eval", world)
    for text in filter(None, (node.script, node.before, node.after)):
        yield from _text(file, node.id, text, seen, "exec")
        yield from _columns(file, node.id, text, "exec", world)
    for trigger in node.triggers:
        if trigger.kind == "timer" and trigger.text:
            yield from _timer(file, node.id, trigger, known, world)
    if node.loop and node.loop.items and node.loop.items not in known:
        yield finding(file, node.id, "name_unset", node.loop.items)


def _expressions(node: Node, world: World) -> Iterator[str]:
    yield from (flow.condition for flow in node.outgoing if flow.condition)
    yield from filter(None, (node.condition,))
    for trigger in node.triggers:
        texts = (trigger.text if trigger.kind == "conditional" else None, trigger.payload, trigger.correlation)
        yield from filter(None, texts)
    if node.loop:
        yield from filter(None, (node.loop.condition, None if node.loop.standard else node.loop.maximum))
        yield from (condition for condition, _ in node.loop.throws)
    if node.operation:
        yield from (text for _, text in node.operation.parameters)
    if node.kind == "userTask" and node.lane and node.lane.scope_expression:
        yield node.lane.scope_expression
    for verb, name in node.acts:
        if verb == "notices":
            yield from filter(None, (world.row("notices", name).get("to"),))


def _text(file: str, element: str, text: str, known: set[str], mode: Mode) -> Iterator[Finding]:
    found = problems(text, mode)
    yield from (expression(file, element, error) for error in found)
    if not found:
        yield from _unset(file, element, names(text) - known)


def _columns(file: str, element: str, text: str, mode: Mode, world: World) -> Iterator[Finding]:
    """Keys that are read from the variable ``item`` and that no row of the register gives it."""
    if world.item_keys is not None:
        wrong = [key for key in item_keys(text, mode) if key not in world.item_keys]
        yield from (finding(file, element, "item_column", key) for key in wrong)


def _unset(file: str, element: str, missing: frozenset[str]) -> Iterator[Finding]:
    yield from (finding(file, element, "name_unset", name) for name in sorted(missing))


def _timer(file: str, element: str, trigger: Trigger, known: set[str], world: World) -> Iterator[Finding]:
    text = trigger.text or ""
    if trigger.deadline:
        kinds = world.column("deadline_kinds")
        if kinds is not None and trigger.deadline not in kinds:
            yield finding(file, element, "deadline_unknown", trigger.deadline)
        elif trigger.deadline not in world.started:
            yield finding(file, element, "deadline_never_started", trigger.deadline)
    elif re.search(r"\bdeadline\s*\(", text):
        yield finding(file, element, "deadline_form")
    elif _BARE_TIME.match(text):
        yield finding(file, element, "timer_unquoted")
    else:
        found = list(_text(file, element, text, known, "eval"))
        yield from found or _moment(file, element, trigger)


def _moment(file: str, element: str, trigger: Trigger) -> Iterator[Finding]:
    tree = ast.parse((trigger.text or "").strip(), mode="eval").body
    if not isinstance(tree, ast.Constant):
        return  # an expression over variables shows what it is only when it runs
    value = tree.value
    try:
        timers.first(trigger.key or "", trigger.text or "", lambda _text: value, datetime(2026, 1, 1, tzinfo=UTC))
    except (ValueError, TypeError, OverflowError):
        yield finding(file, element, "timer_invalid")


def _call(process: Process, node: Node, around: _Around, known: set[str]) -> Iterator[Finding]:
    called = around.processes.get(node.called or "")
    if called is None:
        return
    if not called.inputs and not called.outputs:
        yield finding(process.file, node.id, "io_missing", called.key)
    for name in called.inputs:
        if name not in known | _local(node):
            yield finding(process.file, node.id, "input_unset", name)


def _known(process: Process, around: _Around) -> set[str]:
    """Every variable that something in this process may have set."""
    known = set(process.inputs) | ({"item"} if process.properties.get("item") else set())
    for scope in process.scopes.values():
        known |= set(scope.data_objects)
        for node in scope.nodes.values():
            known |= _own(node, around) | _local(node)
    return known


def _attributes(node: Node) -> set[str]:
    if node.kind == "complexGateway":
        return {"activationCount", "waitingForStart"}
    return _COUNTERS if node.loop and not node.loop.standard else set()


def _local(node: Node) -> set[str]:
    """What the instances of a repeated activity see."""
    return {"loopCounter"} | ({node.loop.item} if node.loop.item else set()) if node.loop else set()


def _own(node: Node, around: _Around) -> set[str]:
    """The variables this one node sets."""
    found = {node.variable or "", node.properties.get("signatures", ""), *(target for _, target in node.outputs)}
    for text in filter(None, (node.script, node.before, node.after)):
        found |= assigned(text)
    found |= {trigger.variable or "" for trigger in node.triggers}
    if node.loop:
        found |= {node.loop.outputs or "", node.loop.output or ""}
    if node.operation:
        found.add(node.operation.result)
    if node.decision is not None:
        found |= around.world.decided.get(node.decision.id, frozenset())
    called = around.processes.get(node.called or "")
    return (found | set(called.outputs if called else ())) - {""}


def _writes(process: Process, node: Node, around: _Around) -> set[str]:
    """What the node sets, with everything inside it."""
    found = _own(node, around)
    inner = process.scopes.get(node.inner or "")
    if inner is None:
        return found
    inside: set[str] = set().union(*(_writes(process, each, around) for each in inner.nodes.values()))
    return found | (inside - set(inner.data_objects))


def _collisions(process: Process, scope: Scope, around: _Around) -> Iterator[Finding]:
    for node in scope.nodes.values():
        branches = _branches(scope, node)
        told: set[str] = set()
        for one, two in combinations(range(len(branches)), 2):
            mine, theirs = branches[one] - branches[two], branches[two] - branches[one]
            both = _all_writes(process, scope, mine, around) & _all_writes(process, scope, theirs, around)
            told |= both
        yield from (finding(process.file, node.id, "parallel_write", name) for name in sorted(told))


def _branches(scope: Scope, node: Node) -> list[set[str]]:
    """Sets of nodes that may be under way at the same time because of ``node``; what all of them reach is dropped."""
    splits = node.kind in _SPLITS or (node.kind in ACTIVITIES and not any(f.condition for f in node.outgoing))
    if splits and len(node.outgoing) > 1:
        return [reach(scope, [flow.target], avoid=node.id) for flow in node.outgoing]
    if node.kind == "boundaryEvent" and not node.interrupting and node.attached_to in scope.nodes:
        beside = reach(scope, [node.attached_to or ""]) - {node.id} - reach(scope, [node.id])
        return [beside | {node.attached_to or ""}, reach(scope, [node.id])]
    return []


def _all_writes(process: Process, scope: Scope, idents: set[str], around: _Around) -> set[str]:
    return set().union(*(_writes(process, scope.nodes[ident], around) for ident in idents))
