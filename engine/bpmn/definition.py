"""The compiled form of diagrams: plain read-only records, shared by all cases and threads and never written to.

Scopes are named ``key`` (a process) and ``key/sub`` (a sub-process at any depth of it); elements by the path
``scope/element``. A process is compiled by itself; ``Definition`` links a root with all it can reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.bpmn.messages import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A sequence flow inside one scope."""

    id: str
    source: str
    target: str
    condition: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """One event definition.

    ``key`` is what must match: message or signal name, error or escalation code (None catches all), link name, the
    activity to compensate; for a timer the kind of its text. ``text`` is a timer or condition expression,
    ``correlation`` the expression giving a message's key, ``deadline`` the kind in ``deadline('kind')``.
    """

    kind: str
    key: str | None = None
    text: str | None = None
    payload: str | None = None
    variable: str | None = None
    correlation: str | None = None
    deadline: str | None = None
    wait: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """Standard loop (``standard``) or multi-instance characteristics."""

    standard: bool
    sequential: bool = True
    condition: str | None = None
    test_before: bool = False
    maximum: str | None = None
    items: str | None = None
    item: str | None = None
    outputs: str | None = None
    output: str | None = None
    behavior: str = "All"
    throws: tuple[tuple[str, Trigger], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """A role: ``id`` names it, ``name`` is its Chinese label, ``scope_expression`` gives the scope of its tasks."""

    id: str
    name: str
    scope_expression: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """What a service task asks of a connector: its name, its parameters as expressions, where the result goes."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    result: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A flow node. ``kind`` is the BPMN tag's name; ``inner`` the scope of a sub-process; ``called`` a process key."""

    id: str
    kind: str
    scope: str
    path: str
    name: str
    documentation: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    lane: Lane | None = None
    form: str | None = None
    variable: str | None = None
    distinct_from: tuple[str, ...] = ()
    returns_to: tuple[str, ...] = ()
    acts: tuple[tuple[str, str], ...] = ()
    triggers: tuple[Trigger, ...] = ()
    parallel: bool = False
    incoming: tuple[Flow, ...] = ()
    outgoing: tuple[Flow, ...] = ()
    default: str | None = None
    boundary: tuple[str, ...] = ()
    attached_to: str | None = None
    interrupting: bool = True
    handler: str | None = None
    compensates: bool = False
    loop: Loop | None = None
    inner: str | None = None
    called: str | None = None
    condition: str | None = None
    script: str | None = None
    before: str | None = None
    after: str | None = None
    operation: Operation | None = None
    decision: Any = field(default=None, repr=False, compare=False)
    inputs: tuple[tuple[str, str], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    start_quantity: int = 1
    completion_quantity: int = 1

    @property
    def trigger(self) -> Trigger | None:
        """The only event definition of most events."""
        return self.triggers[0] if self.triggers else None

    def listens_to(self, kind: str) -> bool:
        """Is there an event definition of this kind?"""
        return any(trigger.kind == kind for trigger in self.triggers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """A process or a sub-process: its nodes, where it starts, its event sub-processes, links and data objects."""

    name: str
    kind: str
    nodes: dict[str, Node]
    starts: tuple[str, ...]
    handlers: tuple[str, ...] = ()
    links: dict[str, str] = field(default_factory=dict)
    data_objects: tuple[str, ...] = ()
    parent: str | None = None
    sequential: bool = False
    condition: str | None = None

    def reaches(self, origin: str, target: Flow, avoid: str) -> bool:
        """Is there a path from node ``origin`` to the flow ``target`` that does not pass node ``avoid``?"""
        seen, ahead = {origin}, [origin]
        while ahead:
            node = self.nodes[ahead.pop()]
            if target in node.outgoing:
                return True
            for name in self._next(node):
                if name not in seen and name != avoid:
                    seen.add(name)
                    ahead.append(name)
        return False

    def _next(self, node: Node) -> list[str]:
        found = [flow.target for flow in node.outgoing] + list(node.boundary)
        if node.kind == "intermediateThrowEvent" and node.trigger and node.trigger.kind == "link":
            found.append(self.links[node.trigger.key or ""])
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One compiled BPMN file. ``digest`` is the SHA-256 of its XML, ``decisions`` its decision tables by SHA-256."""

    key: str
    digest: str
    name: str
    file: str
    documentation: str
    properties: dict[str, str]
    scopes: dict[str, Scope]
    calls: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    lanes: dict[str, Lane]
    forms: tuple[str, ...]
    decisions: dict[str, str]
    messages: dict[str, Message]


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """A root process and everything it can call. ``scopes`` holds the scopes of all of them by name.

    ``reentered`` are the paths of the call activities that some ``returns_to`` names: their inputs are kept.
    """

    root: str
    digest: str
    processes: dict[str, Process]
    scopes: Mapping[str, Scope] = field(repr=False)
    reentered: frozenset[str] = frozenset()

    def node(self, path: str) -> Node:
        """The element at ``process/sub/element``. Raises: KeyError."""
        scope, _, element = path.rpartition("/")
        return self.scopes[scope].nodes[element]

    def message(self, path: str, name: str) -> Message:
        """The message of this name as the process of the element ``path`` declares it."""
        return self.processes[path.partition("/")[0]].messages.get(name) or Message(name=name)
