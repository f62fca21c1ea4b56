"""Compensation and cancelled transactions: handlers of completed activities, the last one first, one after another.

A scope remembers completed activities that can be undone; a throwing token works through them as jobs, each in a scope
of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.bpmn import events
from engine.bpmn.definition import Node, Trigger
from engine.bpmn.state import Token
from engine.bpmn.throwing import match

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine

Record = dict[str, Any]


def remember(m: Machine, token: Token, node: Node) -> None:
    """An activity leaves: keep what would be needed to undo it."""
    if not node.boundary and not token.done:
        return
    done = m.state.scopes[token.scope].done
    nodes = m.definition.scopes[node.scope].nodes
    for name in node.boundary:
        event = nodes[name]
        if event.listens_to("compensate") and event.handler:
            done.append({"node": node.id, "of": node.scope, "run": event.handler})
            return
    if token.done:
        done.append({"node": node.id, "of": node.scope, "inner": token.done, "handler": _own_handler(m, node)})


def _own_handler(m: Machine, node: Node) -> str | None:
    """The scope of the event sub-process that undoes this sub-process as a whole."""
    if node.inner is None:
        return None
    drawn = m.definition.scopes[node.inner]
    starts = (events.handler_start(m, drawn, name) for name in drawn.handlers)
    return next((start.scope for start in starts if start.listens_to("compensate")), None)


def compensate(m: Machine, token: Token, node: Node, trigger: Trigger) -> None:
    """Undo one activity, or all completed ones of the scope (of the parent, thrown in an event sub-process)."""
    scope = m.state.scopes[token.scope]
    records = scope.done
    if scope.kind == "handler" and scope.token is not None:
        records = m.state.scopes[m.state.tokens[scope.token].scope].done
    chosen = [record for record in records if trigger.key in (None, record["node"])]
    for record in chosen:
        records.remove(record)
    m.note("event.thrown", token, detail={"kind": "compensate", "name": trigger.key})
    _undo(m, token, node, chosen, None)


def _undo(m: Machine, token: Token, node: Node, records: list[Record], after: str | None) -> None:
    token.state, token.jobs, token.after = "active", _jobs(records), after
    next_job(m, token, node)


def _jobs(records: list[Record]) -> list[Record]:
    """Flat list of handlers to run, in reverse order of completion."""
    found: list[Record] = []
    for record in reversed(records):
        if "run" in record:
            found.append({"of": record["of"], "run": record["run"]})
        elif record["handler"]:
            found.append({"of": record["handler"], "undo": record["inner"]})
        else:
            found.extend(_jobs(record["inner"]))
    return found


def next_job(m: Machine, token: Token, node: Node) -> None:
    """Start the next handler, or go on behind the throwing event."""
    if token.jobs:
        job = token.jobs.pop(0)
        scope = m.open(job["of"], "job", token.id, start=False)
        if "run" in job:
            events.unsubscribe(m, scope.subs)
            m.put(job["run"], scope.id)
        else:
            scope.done = list(job["undo"])
            inner = m.definition.scopes[job["of"]]
            start = next(n for n in inner.nodes.values() if n.kind == "startEvent" and n.triggers)
            events.begin_at(m, scope.id, start)
        return
    after, token.jobs, token.after = token.after, None, None
    if after is None:
        m.guarded(token, lambda: m.finish(token, node))
        return
    _leave_cancelled(m, token, node)


def _leave_cancelled(m: Machine, token: Token, node: Node) -> None:
    owner = m.state.tokens[m.state.scopes[token.scope].token or 0]
    nodes = m.scope_of(owner).nodes
    found = match("cancel", None, [nodes[name] for name in m.node(owner).boundary])
    m.completed(token, node)
    if found:
        events.fire_boundary(m, owner, events.Met(*found, None))
    else:
        m.remove(token)


def cancel_transaction(m: Machine, token: Token, node: Node) -> None:
    """Stop the transaction, undo what it completed, then leave by its cancel event."""
    scope = m.state.scopes[token.scope]
    m.note("event.thrown", token, detail={"kind": "cancel", "name": None})
    m.clear(scope, keep=token.id)
    records, scope.done = scope.done, []
    _undo(m, token, node, records, "cancel")
