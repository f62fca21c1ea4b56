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
    """The rule that is broken. A step that many call may be returned in some of them only: one place is enough."""
    first, _, element = word.partition("/")
    places = _places(process, (scope, node.id), first, processes if element else {}, frozenset())
    faults = [_wrong(around, held, first, element, processes) for around, held in places]
    return min(faults, key=bool) if faults else "return_unknown"


def _wrong(around: Scope, held: str, first: str, element: str, processes: Mapping[str, Process]) -> str:
    found = around.nodes[first]
    rule = _entry(found, element, processes) if element else ""
    if not element and (found.kind != "userTask" or found.id == held):
        rule = "return_no_task"
    return rule or ("" if goes_back(around, first, held) else "return_unreachable")


def _entry(call: Node, element: str, processes: Mapping[str, Process]) -> str:
    if not call.called or call.loop:
        return "return_call"
    called = processes.get(call.called)  # one that does not exist is another rule's to name
    return "return_entrance" if called is not None and entrance(called, element) is None else ""


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
