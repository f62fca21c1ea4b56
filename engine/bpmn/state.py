"""The state of one case: numbered tokens, scopes and subscriptions, and its canonical byte form.

Only what is alive is kept; history leaves through ``Step.entries``. Numbers are given in order, so the same inputs
give the same bytes.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from engine.bpmn.sentences import rejected
from engine.bpmn.values import pack, unpack

FORMAT = 2
"""The newest way states are written. All older ones stay readable, unknown ones are refused.

A state is written in the oldest format that can hold it: 1 as long as nothing but the fields of ``FIRST`` is in use.
"""
SEMANTICS = 1
"""How the machine behaves. A change of behaviour gets a number, asked for as ``state.semantics >= n`` where the change
comes; a case keeps the number it started with."""
NEWEST_WITH: Mapping[int, int] = {1: 1, 2: 1}
"""The newest behaviour that servers know whose newest format is this."""
FIRST: Mapping[str, frozenset[str]] = {
    "Token": frozenset(
        {"id", "node", "scope", "state", "stage", "flow", "instance", "where", "loop", "subs", "jobs", "after"}
        | {"done", "incident"}
    ),
    "ScopeState": frozenset(
        {"id", "of", "kind", "token", "live", "frame", "subs", "counts", "done", "rest"},
    ),
    "Sub": frozenset(
        {"id", "kind", "name", "node", "trigger", "token", "scope", "key", "due", "deadline", "left", "held"}
        | {"incident"}
    ),
}
"""The fields that format 1 knows. Whatever is added to a record later has a default and makes format 2 when in use."""


@dataclass(slots=True)
class Token:
    """A token at a node.

    ``state``: ``ready`` to run, ``waiting`` for the outside, ``active`` while inner work runs, ``parked`` at a join,
    ``failed`` with an incident. ``stage`` is what a turn (or a retry) begins with: ``new``, ``entered``, ``begun``
    (its start quantity has been taken), ``prepared`` (its script before has run), ``finish`` (after-script), ``leave``
    (choice of flows), ``done``. ``where`` is the scope of the role, fixed when the work item was created; ``reset``
    marks the second output of a complex gateway.

    ``rounds`` are signatures asked for at a work item: kind, numbers still open, how many of them are needed. A signer
    is a token of its own at the same element, ``signs`` naming the one asked for and ``signer`` the person; it is
    ``held`` until its turn, as is a work item that has been done but not yet signed.
    """

    id: int
    node: str
    scope: int
    state: str = "ready"
    stage: str = "new"
    flow: str | None = None
    instance: int | None = None
    where: str | None = None
    loop: dict[str, Any] | None = None
    subs: list[int] = field(default_factory=list)
    jobs: list[dict[str, Any]] | None = None
    after: str | None = None
    done: list[dict[str, Any]] = field(default_factory=list)
    incident: list[str] | None = None
    reset: bool = False
    rounds: list[dict[str, Any]] = field(default_factory=list)
    signs: int | None = None
    signer: str | None = None


@dataclass(slots=True)
class ScopeState:
    """A running process, called process, sub-process, loop instance, event sub-process or compensation job.

    ``frame`` holds variables, if it has any of its own; ``live`` counts its tokens, ``counts`` those at joins;
    ``calls`` keeps the inputs of those call activities that may be returned into.
    """

    id: int
    of: str
    kind: str
    token: int | None = None
    live: int = 0
    frame: dict[str, Any] | None = None
    subs: list[int] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    done: list[dict[str, Any]] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class Sub:
    """Something waited for: by a token (catch, boundary) or by a scope (start of an event sub-process)."""

    id: int
    kind: str
    name: str | None
    node: str
    trigger: int
    token: int | None = None
    scope: int | None = None
    key: str | None = None
    due: str | None = None
    deadline: str | None = None
    left: int = 0
    held: bool = False
    incident: list[str] | None = None


@dataclass(slots=True)
class State:
    """Everything alive in one case. ``at`` is the moment of the last call, ``spent`` the steps since the last input."""

    definition: str
    key: str
    at: str
    number: int = 0
    spent: int = 0
    named: str | None = None
    outcome: str | None = None
    semantics: int = SEMANTICS
    ready: deque[int] = field(default_factory=deque)
    tokens: dict[int, Token] = field(default_factory=dict)
    scopes: dict[int, ScopeState] = field(default_factory=dict)
    subs: dict[int, Sub] = field(default_factory=dict)

    def next(self) -> int:
        """A number nothing else in this case has or had."""
        self.number += 1
        return self.number


def _rows(kind: type[Any]) -> Callable[[Any], dict[str, Any]]:
    """Encoder of a record to the fields that differ from their default."""
    blank = [(f.name, f.default_factory() if callable(f.default_factory) else f.default) for f in fields(kind)]

    def row(record: Any) -> dict[str, Any]:
        found = {}
        for name, default in blank:
            value = getattr(record, name)
            if value != default or type(value) is not type(default):
                found[name] = value
        return found

    return row


_token, _scope, _sub = _rows(Token), _rows(ScopeState), _rows(Sub)


def encode(state: State) -> bytes:
    """Canonical bytes: keys sorted, no spaces, independent of the order in which mappings were filled."""
    return written(state)[0]


def written(state: State) -> tuple[bytes, int]:
    """The canonical bytes, and the format they have: the oldest that can hold this state."""
    scopes = []
    for scope in state.scopes.values():
        row = _scope(scope)
        if scope.frame is not None:
            row["frame"] = pack(scope.frame)
        if scope.calls:
            row["calls"] = pack(scope.calls)
        scopes.append(row)
    tokens = state.tokens
    held = {
        "tokens": [_token(each) for each in tokens.values()],
        "scopes": scopes,
        "subs": [_sub(each) for each in state.subs.values()],
    }
    form = _format(held)
    document = {
        "format": form,
        "semantics": state.semantics,
        "definition": state.definition,
        "key": state.key,
        "at": state.at,
        "number": state.number,
        "spent": state.spent,
        "named": state.named,
        "outcome": state.outcome,
        "ready": [i for i in state.ready if i in tokens and tokens[i].state == "ready"],
        **held,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode(), form


def _format(held: Mapping[str, list[dict[str, Any]]]) -> int:
    """1 where the records hold nothing that the first version did not know."""
    kinds = (("tokens", "Token"), ("scopes", "ScopeState"), ("subs", "Sub"))
    first = all(row.keys() <= FIRST[kind] for name, kind in kinds for row in held[name])
    return 1 if first else 2


def decode(content: bytes) -> State:
    """The reverse of ``encode``. Raises: InputRejected for bytes of an unknown format or behaviour."""
    try:
        document = json.loads(content)
        known = 1 <= document["format"] <= FORMAT and 1 <= document["semantics"] <= SEMANTICS
    except (ValueError, KeyError, TypeError) as error:
        raise rejected("state_unknown") from error
    if not known:
        raise rejected("state_unknown")
    names = ("definition", "key", "at", "number", "spent", "named", "outcome", "semantics")
    plain = {n: document[n] for n in names}
    state = State(**plain, ready=deque(document["ready"]))
    for row in document["tokens"]:
        state.tokens[row["id"]] = Token(**row)
    for row in document["scopes"]:
        if row.get("frame") is not None:
            row["frame"] = unpack(row["frame"])
        if "calls" in row:
            row["calls"] = unpack(row["calls"])
        state.scopes[row["id"]] = ScopeState(**row)
    for row in document["subs"]:
        state.subs[row["id"]] = Sub(**row)
    return state


def semantics_of(content: bytes) -> int:
    """The number of the behaviour a case keeps; the newest where it has no state yet."""
    number: int = json.loads(content)["semantics"] if content else SEMANTICS
    return number


def weight(state: State) -> int:
    """Bytes of all variables of the case, and of the inputs kept of its calls."""
    frames = [pack(each) for s in state.scopes.values() for each in (s.frame, s.calls) if each]
    return len(json.dumps(frames, separators=(",", ":"), ensure_ascii=False).encode())
