"""Variables: frames along the scope chain, and scripts and expressions over them.

They belong to scopes, as in BPMN, so parallel branches write to one place and a join has nothing to merge. A process,
a called process, a loop instance and a sub-process with data objects of its own have a frame each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.bpmn import expressions
from engine.bpmn.decisions import Overlap
from engine.bpmn.definition import Node
from engine.bpmn.expressions import ExpressionError
from engine.bpmn.faults import Fault
from engine.bpmn.state import ScopeState, Token
from engine.bpmn.steps import Entry
from engine.bpmn.values import alike, pack, private

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine


def frames(m: Machine, scope: ScopeState) -> list[ScopeState]:
    """Scopes whose variables are visible from ``scope``, nearest first; a process is the end of the line."""
    found = []
    while True:
        if scope.frame is not None:
            found.append(scope)
        if scope.kind in ("process", "call") or scope.token is None:
            return found
        scope = m.state.scopes[m.state.tokens[scope.token].scope]


def read(m: Machine, scope: int) -> dict[str, Any]:
    """All visible variables in one new dict; the values are the case's own and must not be changed."""
    merged: dict[str, Any] = {}
    for holder in reversed(frames(m, m.state.scopes[scope])):
        merged.update(holder.frame or {})
    return merged


def write(
    m: Machine, scope: int, values: dict[str, Any], element: str, token: int | None, *, here: bool = False
) -> None:
    """An existing variable is changed where it lives, a new one is made in the nearest frame (``here``: always there).

    Raises: Unstorable, before anything is written.
    """
    copies = {name: private(value) for name, value in values.items()}
    holders = [m.state.scopes[scope]] if here else frames(m, m.state.scopes[scope])
    told: dict[int, dict[str, list[Any]]] = {}
    for name, value in copies.items():
        holder = next((h for h in holders if name in (h.frame or {})), holders[0])
        frame = holder.frame if holder.frame is not None else {}
        if name not in frame or not alike(frame[name], value):
            told.setdefault(holder.id, {})[name] = [pack(frame.get(name)), pack(value)]
            frame[name] = value
    for number, changes in told.items():
        m.changed = True
        detail = {"frame": number}
        m.entries.append(
            Entry(
                kind="variables.written",
                at=m.now,
                element=element,
                scope=scope,
                token=token,
                values=changes,
                detail=detail,
            )
        )


def evaluate(m: Machine, scope: int, text: str, extra: dict[str, Any] | None = None) -> Any:
    """The value of an expression, sharing nothing with the variables. Raises: Fault."""
    try:
        return expressions.evaluate(text, {**read(m, scope), **(extra or {})})
    except ExpressionError as error:
        raise Fault(error.code) from error


def evaluator(m: Machine, scope: int) -> Callable[[str], Any]:
    """``evaluate`` for one scope."""
    return lambda text: evaluate(m, scope, text)


def run_script(m: Machine, token: Token, node: Node, text: str | None) -> None:
    """Run assignments; all of them are kept or none. Raises: Fault."""
    if not text:
        return

    def assign(seen: dict[str, Any]) -> dict[str, Any]:
        return expressions.execute(text, seen)

    _renaming(m, token, node, assign)


def decide(m: Machine, token: Token, node: Node) -> None:
    """Evaluate the node's decision table; its outputs become variables. Raises: Fault."""

    def table(seen: dict[str, Any]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = node.decision.decide(private(seen))
        except Overlap as error:
            raise Fault("decision_overlap") from error
        return found

    _renaming(m, token, node, table)


def _renaming(m: Machine, token: Token, node: Node, work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Run ``work`` on what the node sees, with its data associations copied in before and out behind."""
    seen = read(m, token.scope)
    for source, target in node.inputs:
        if source in seen:
            seen[target] = seen[source]
    try:
        changed = work(seen)
    except ExpressionError as error:
        raise Fault(error.code) from error
    for source, target in node.outputs:
        if source in changed:
            changed[target] = changed.pop(source)
    write(m, token.scope, changed, node.path, token.id)


def call_inputs(m: Machine, token: Token, node: Node) -> dict[str, Any]:
    """What crosses into a called process: its declared inputs, nothing else. Raises: Fault."""
    process = m.definition.processes[node.called or ""]
    seen = read(m, token.scope)
    if any(name not in seen for name in process.inputs):
        raise Fault("input_missing")
    return {name: seen[name] for name in process.inputs}


def take_results(m: Machine, token: Token, scope: ScopeState) -> None:
    """What crosses back from a called process: its declared outputs, nothing else. Raises: Fault."""
    frame = scope.frame or {}
    declared = m.definition.processes[scope.of].outputs
    found = {name: frame[name] for name in declared if name in frame}
    write(m, token.scope, found, m.path(token), token.id)
    if len(found) < len(declared):
        raise Fault("output_missing")
