"""Whether every place that ``returns_to`` names can be gone back to, in this process and in all that call it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.bpmn.behind import entrance, goes_back
from engine.bpmn.definition import Node, Process, Scope
from engine.bpmn.gate.sentences import finding
from engine.errors import Finding


def check_returns(process: Process, processes: Mapping[str, Process]) -> Iterator[Finding]:
    """One finding per word of ``returns_to`` that the machine would refuse or could not find."""
    for scope in process.scopes.values():
        for node in scope.nodes.values():
            for word in node.returns_to:
                rule = _fault(process, scope, node, word, processes)
                if rule:
                    yield finding(process.file, node.id, rule, word)


def _fault(process: Process, scope: Scope, node: Node, word: str, processes: Mapping[str, Process]) -> str:
    first, _, element = word.partition("/")
    places = list(_places(process, (scope, node.id), first, processes if element else {}, frozenset()))
    if not places:
        return "return_unknown"
    for around, held in places:
        found = around.nodes[first]
        if element and (not found.called or found.loop):
            return "return_call"
        if element and found.called in processes and entrance(processes[found.called], element) is None:
            return "return_entrance"
        if not element and (found.kind != "userTask" or found.id == held):
            return "return_no_task"
        if not goes_back(around, first, held):
            return "return_unreachable"
    return ""


def _places(
    process: Process, at: tuple[Scope, str], wanted: str, processes: Mapping[str, Process], seen: frozenset[str]
) -> Iterator[tuple[Scope, str]]:
    """The nearest scopes around an element that hold ``wanted``, each with what stands for the element there: its own
    process's, else (``processes`` given) those of every process that calls it."""
    around: Scope | None = at[0]
    held = at[1]
    while around is not None:
        if wanted in around.nodes:
            yield around, held
            return
        held, around = around.name.rpartition("/")[2], process.scopes.get(around.parent or "")
    for caller in processes.values() if process.key not in seen else ():
        for outer, ident in _calls(caller, process.key):
            yield from _places(caller, (outer, ident), wanted, processes, seen | {process.key})


def _calls(caller: Process, key: str) -> Iterator[tuple[Scope, str]]:
    for scope in caller.scopes.values():
        yield from ((scope, node.id) for node in scope.nodes.values() if node.called == key)
