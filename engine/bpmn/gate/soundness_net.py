"""The token game of one scope: places, and what may happen to a token there.

Control flow only: every choice is free, an activity is one step with all the ways in which it may be left. A place is
named by its element, a token at a join by element and flow, an activity some of whose non-interrupting boundary events
have fired by element and these events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations

from engine.bpmn.definition import Flow, Node, Scope
from engine.bpmn.expressions import ExpressionError, evaluate, names

JOINS = ("parallelGateway", "inclusiveGateway", "complexGateway")
SPLIT_LIMIT = 10
"""Conditional flows whose subsets are all told apart; of more, only each by itself and all together."""
SEPARATOR = "\0"
GONE = "\1"
"""Where the token of a scope is that has been left by an error or a cancellation: an end, but not its completion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """What the outside sees of a scope: can it complete, which errors and escalations leave it, is it cancelled."""

    completes: bool = True
    errors: frozenset[str | None] = frozenset()
    escalations: frozenset[str | None] = frozenset()
    cancels: bool = False
    unknown: bool = False


@dataclass(kw_only=True, slots=True)
class Way:
    """One thing that may happen to a token: the places marked then, and the elements passed until there.

    ``clears``: everything else in the scope is cancelled. ``waits``: something on the way takes time. ``beside``:
    elements passed on other ways to the same places.
    """

    makes: tuple[str, ...]
    passes: tuple[str, ...] = ()
    clears: bool = False
    waits: bool = False
    beside: frozenset[str] = frozenset()


@dataclass(kw_only=True, slots=True)
class Place:
    """Where a token may be. ``quantity`` tokens go on as one; ``waits``: it takes time to go on; ``label``: the element
    to name where two tokens meet."""

    ways: list[Way]
    label: str = ""
    waits: bool = False
    quantity: int = 1
    beside: frozenset[str] = frozenset()


@dataclass(kw_only=True, slots=True)
class Net:
    """One scope. ``joins``: element to the places before it; ``starts``: first markings, and those of branches that
    never meet the others, each with the element without which it does not begin (or empty)."""

    scope: Scope
    places: dict[str, Place] = field(default_factory=dict)
    joins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    starts: list[tuple[str, Way]] = field(default_factory=list)


def waiting_at(element: str, flow: str) -> str:
    """The place of a token at a join."""
    return f"{element}{SEPARATOR}{flow}"


def element_of(place: str) -> str:
    """The element a place belongs to."""
    return place.partition(SEPARATOR)[0]


def synchronises(node: Node) -> bool:
    """Is it a gateway that may hold a token back until others come?"""
    return node.kind in JOINS and len(node.incoming) > 1


def arrival(scope: Scope, flow: Flow) -> str:
    """The place of a token that has come along a flow."""
    target = scope.nodes[flow.target]
    return waiting_at(target.id, flow.id) if synchronises(target) else target.id


def again(element: str) -> str:
    """The place of the second output of a complex gateway."""
    return f"{element}{SEPARATOR}again"


def choices(node: Node, *, first: bool = True) -> Iterator[tuple[Flow, ...]]:
    """All sets of flows on which a token may leave; as the machine chooses, whatever the conditions say.

    ``first``: of a complex gateway its first output, not the one with which it resets.
    """
    if node.kind == "complexGateway":
        yield from _of_complex(node, first)
    else:
        yield from _subsets(node, node.outgoing)


def _of_complex(node: Node, first: bool) -> Iterator[tuple[Flow, ...]]:
    """Conditions that only ask ``waitingForStart`` are no free choice; on reset it may be that no flow is taken."""
    flows = []
    for flow in node.outgoing:
        asked = known(flow.condition, {"waitingForStart": first}) if flow.condition else None
        if asked is not False:
            flows.append(flow if asked is None else replace(flow, condition=None))
    if flows or not first:
        yield from _subsets(node, tuple(flows))
    if not first and flows and all(flow.condition for flow in flows):
        yield ()


def known(text: str, values: Mapping[str, object]) -> bool | None:
    """The value of a condition over these names only; None where it asks anything else."""
    try:
        return bool(evaluate(text, values)) if names(text) <= values.keys() else None
    except ExpressionError:  # whatever is wrong with it is told where expressions are checked
        return None


def _subsets(node: Node, flows: tuple[Flow, ...]) -> Iterator[tuple[Flow, ...]]:
    if node.kind in ("exclusiveGateway", "eventBasedGateway"):
        yield from ((flow,) for flow in flows) if flows else ((),)
        return
    if node.kind == "parallelGateway" or not any(flow.condition for flow in flows):
        yield flows
        return
    default = [flow for flow in flows if flow.id == node.default]
    always = tuple(flow for flow in flows if flow.condition is None and flow.id != node.default)
    chosen = [flow for flow in flows if flow.condition is not None and flow.id != node.default]
    if always or default:
        yield (*always, *default)
    sizes = range(1, len(chosen) + 1) if len(chosen) <= SPLIT_LIMIT else (1, len(chosen))
    for size in sizes:
        yield from ((*always, *some) for some in combinations(chosen, size))


def reach(scope: Scope, starts: list[str]) -> set[str]:
    """Nodes that tokens come to from ``starts``, but for what non-interrupting boundary events begin."""
    seen: set[str] = set()
    stack = list(starts)
    while stack:
        ident = stack.pop()
        if ident in seen or ident not in scope.nodes:
            continue
        seen.add(ident)
        node = scope.nodes[ident]
        stack += [flow.target for flow in node.outgoing]
        stack += [name for name in node.boundary if interrupts(scope.nodes[name])]
        if node.kind == "intermediateThrowEvent" and node.listens_to("link") and node.trigger:
            stack.append(scope.links.get(node.trigger.key or "", ""))
    return seen


def interrupts(event: Node) -> bool:
    """Does this boundary or start event end what it is attached to? An error always does."""
    return event.interrupting or event.listens_to("error")
