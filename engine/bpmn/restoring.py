"""Recall (撤回): the state before a step becomes the state again, with history telling what stands and what no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from engine.bpmn.definition import Definition
from engine.bpmn.machine import Machine
from engine.bpmn.runtime import load, step_of
from engine.bpmn.sentences import rejected
from engine.bpmn.state import Token, decode
from engine.bpmn.steps import Entry, Step
from engine.bpmn.values import alike, pack


def restore(definition: Definition, state: bytes, now: datetime, before: bytes) -> Step:
    """The case as it stood in ``before``, an earlier state of the same case; only its running number goes on.

    Tokens, scopes and subscriptions have their old numbers again, numbers given since are never given again. Entries:
    element.cancelled for what stands now and did not before; scope.opened for a scope that had ended (its variables
    written anew) and variables.written for what changed; element.entered for what stands again. Nothing runs.

    Raises: InputRejected (``before`` is of another definition or case, or is no earlier state). CaseEnded.
    """
    machine = load(definition, state, now)
    earlier = decode(before)
    if earlier.definition != definition.digest:
        raise rejected("other_definition")
    if earlier.key != machine.state.key or earlier.number > machine.state.number or earlier.outcome is not None:
        raise rejected("state_unknown")
    earlier.number = machine.state.number
    back = Machine(definition, earlier, now)
    here, there = _standing(machine), _standing(back)
    for place in here.keys() - there.keys():
        machine.note("element.cancelled", here[place])
    back.entries = sorted(machine.entries, key=lambda entry: entry.token or 0)
    _reopen(machine, back)
    for place, token in there.items():
        if place not in here:
            detail = {} if token.instance is None else {"instance": token.instance}
            back.note("element.entered", token, flow=token.flow, detail=detail)
    return step_of(back)


def _standing(m: Machine) -> dict[tuple[int, str], Token]:
    """Every token that history says is at an element, with that element's path."""
    return {(t.id, m.path(t)): t for t in m.state.tokens.values() if t.stage not in ("new", "done")}


def _reopen(now: Machine, back: Machine) -> None:
    for number, scope in back.state.scopes.items():
        held = now.state.scopes.get(number)
        owner = back.state.tokens.get(scope.token or 0)
        element = back.path(owner) if owner is not None else scope.of
        if held is None:
            detail = {"of": scope.of, "owner": scope.token}
            back.entries.append(
                Entry(kind="scope.opened", at=back.now, element=element, scope=number, token=scope.token, detail=detail)
            )
        old = {} if held is None else held.frame or {}
        changed = dict(_changed(old, scope.frame or {}))
        if changed:
            back.entries.append(
                Entry(
                    kind="variables.written",
                    at=back.now,
                    element=element,
                    scope=number,
                    token=scope.token,
                    values=changed,
                    detail={"frame": number},
                )
            )


def _changed(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Names whose value differs: [value now, value again]; a name that did not exist then is None again."""
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if not alike(one, other):
            yield name, [pack(one), pack(other)]
