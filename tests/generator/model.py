"""The generator's own records of a diagram: what the token game reads and the drawing writes. Nothing of the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

VARIABLES = ("k0", "k1", "k2", "k3")
"""Whole numbers every process knows; answers and scripts change them, tests read them."""


@dataclass(frozen=True, slots=True)
class Test:
    """A condition: ``even``, ``odd``, ``above`` or ``below`` over a variable, or a bare truth value's name."""

    __test__ = False

    variable: str
    kind: str
    number: int = 0

    def __str__(self) -> str:
        return {
            "even": f"{self.variable} % 2 == 0",
            "odd": f"{self.variable} % 2 == 1",
            "above": f"{self.variable} > {self.number}",
            "below": f"{self.variable} < {self.number}",
            "true": self.variable,
            "false": f"not {self.variable}",
            "length": f"len({self.variable}) >= {self.number}",
        }[self.kind]


@dataclass(frozen=True, slots=True)
class Event:
    """What an event waits for or throws. ``name``: of a message, signal or link, a code, an activity; '' for any."""

    kind: str
    name: str = ""
    hours: int = 0
    rounds: int = 1
    test: Test | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """Multi-instance (``number`` or the variable ``number_of``; ``until``) or a standard loop (``standard``)."""

    standard: bool = False
    sequential: bool = False
    number: int = 0
    number_of: str = ""
    until: Test | None = None
    outputs: str = ""
    item: str = ""
    before: bool = False


@dataclass(slots=True)
class Element:
    """A flow node of a scope."""

    id: str
    kind: str
    event: Event | None = None
    sets: str = ""
    adds: int = 0
    to: int | None = None
    inner: Scope | None = None
    called: str = ""
    loop: Loop | None = None
    host: str = ""
    interrupting: bool = True
    undo: str = ""
    undoes: str = ""
    default: str = ""
    activation: int = 0
    start_quantity: int = 1
    completion_quantity: int = 1


@dataclass(frozen=True, slots=True)
class Flow:
    """A sequence flow."""

    id: str
    source: str
    target: str
    test: Test | None = None


@dataclass(slots=True)
class Scope:
    """A process or sub-process: its nodes and flows. ``kind``: process, sub, transaction or handler."""

    id: str
    kind: str
    elements: dict[str, Element] = field(default_factory=dict)
    flows: dict[str, Flow] = field(default_factory=dict)

    def incoming(self, ident: str) -> list[Flow]:
        """Flows into an element."""
        return [flow for flow in self.flows.values() if flow.target == ident]

    def outgoing(self, ident: str) -> list[Flow]:
        """Flows out of an element, in the order they were drawn."""
        return [flow for flow in self.flows.values() if flow.source == ident]

    def on(self, host: str) -> list[Element]:
        """The boundary events of an activity."""
        return [each for each in self.elements.values() if each.kind == "boundary" and each.host == host]

    def handlers(self) -> list[Element]:
        """The event sub-processes."""
        return [each for each in self.elements.values() if each.kind == "handler"]

    def start(self) -> Element:
        """The one start event."""
        return next(each for each in self.elements.values() if each.kind == "start")


@dataclass(slots=True)
class Diagram:
    """A root process and those it calls, with what each called one takes and gives."""

    root: str
    processes: dict[str, Scope] = field(default_factory=dict)
    takes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    gives: dict[str, tuple[str, ...]] = field(default_factory=dict)
