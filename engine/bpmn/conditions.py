"""Conditional events: looked at after every change of a variable, fired when they become true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.bpmn import events, variables
from engine.bpmn.faults import Fault

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine


def check(m: Machine) -> None:
    """Fire conditional events that have become true.

    One that cannot be evaluated (a misspelt or missing name) is an incident, once; it is cleared by the first change
    of variables after which it can.
    """
    for number in [sub.id for sub in m.state.subs.values() if sub.kind == "conditional"]:
        sub = m.state.subs.get(number)
        if sub is None:
            continue
        trigger = events.node_of(m, sub).triggers[sub.trigger]
        try:
            value = bool(variables.evaluate(m, events.scope_id(m, sub), trigger.text or ""))
        except Fault as fault:
            if sub.incident is None:
                events.fail(m, sub, fault.code)
            continue
        sub.incident = None
        held, sub.held = sub.held, value
        if value and not held:
            events.fire(m, sub, None)
