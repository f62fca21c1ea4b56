"""One recorded input given to the machine once more: what replay, recall and audit have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from engine import bpmn
from engine.bpmn import Definition, Step
from engine.store import HistoryRow

Again = Callable[[Definition, bytes, HistoryRow], Step]
DefinitionOf = Callable[[str], Definition]
MIGRATED = "case.migrated"


def again(
    definition: Definition,
    state: bytes,
    row: HistoryRow,
    before: bytes = b"",
    *,
    definition_of: DefinitionOf | None = None,
) -> Step | None:
    """The step that the recorded input ``row`` led to, from the state before it; None: it does not move the machine.

    ``definition`` is the release the row names. ``row`` needs its values: an erased input cannot be executed again.
    ``before`` is the state before the last input that moved the machine: a recall undoes that one, so whoever executes
    a case again needs to hold these two states and no others. ``definition_of`` gives the definition of any release:
    a migration names the one it leads to and leaves another.
    """
    if row.kind == RECALLED:
        return bpmn.restore(definition, state, _at(row), before)
    if row.kind == MIGRATED and definition_of is not None:
        return _migrate(definition_of(row.detail["from"]), definition, state, row)
    return INPUTS[row.kind](definition, state, row) if row.kind in INPUTS and moves(row) else None


def moves(row: HistoryRow) -> bool:
    """Is this an input that moves the machine? A job or message that is tried again lies outside it."""
    return row.kind in MOVES and not (row.kind == "incident.retried" and "job" in row.detail)


def _values(row: HistoryRow) -> Mapping[str, Any]:
    return row.values or {}


def _at(row: HistoryRow) -> datetime:
    return row.occurred_at or row.recorded_at


def _start(definition: Definition, state: bytes, row: HistoryRow) -> Step:
    """By a person, or by a message: then at the event it met, with its content, under the key it came with."""
    values, key = dict(_values(row)), row.detail["business_key"]
    met: dict[str, Any] = {}
    if "at" in row.detail:
        key, met = values.pop("key"), {"at": row.detail["at"], "payload": values.pop("payload")}
    return bpmn.start(definition, _at(row), values, business_key=key, semantics=row.semantics, **met)


def _complete(definition: Definition, state: bytes, row: HistoryRow) -> Step:
    values = _values(row)
    answers = {**values["answers"], **values.get("signed", {})}
    return bpmn.complete(definition, state, _at(row), row.token or 0, answers)


def _deliver(definition: Definition, state: bytes, row: HistoryRow) -> Step:
    return bpmn.deliver(definition, state, _at(row), row.detail["wait"], _values(row)["payload"])


def _fire(definition: Definition, state: bytes, row: HistoryRow) -> Step:
    moments = {kind: datetime.fromisoformat(text) for kind, text in row.detail["moments"].items()}
    since = row.detail.get("since")
    return bpmn.fire(definition, state, _at(row), moments, since=datetime.fromisoformat(since) if since else None)


def _retry(definition: Definition, state: bytes, row: HistoryRow) -> Step:
    return bpmn.resume(definition, state, _at(row), retry=row.token)


def _return(definition: Definition, state: bytes, row: HistoryRow) -> Step:
    return bpmn.send_back(definition, state, _at(row), row.token or 0, row.detail["target"])


def _migrate(old: Definition, new: Definition, state: bytes, row: HistoryRow) -> Step:
    given = _values(row).get("variables", {})
    return bpmn.migrate(old, new, state, _at(row), row.detail["mapping"], values=given)


def _add_signers(definition: Definition, state: bytes, row: HistoryRow) -> Step:
    asked = {"kind": row.detail["kind"], "signers": row.detail["accounts"], "quorum": row.detail["quorum"]}
    return bpmn.add_signers(definition, state, _at(row), row.token or 0, **asked)


def _remove_signer(definition: Definition, state: bytes, row: HistoryRow) -> Step:
    return bpmn.remove_signer(definition, state, _at(row), row.token or 0)


RECALLED = "task.recalled"
INPUTS: dict[str, Again] = {
    "case.started": _start,
    "task.completed": _complete,
    "message.delivered": _deliver,
    "signal.delivered": _deliver,
    "timer.fired": _fire,
    "incident.retried": _retry,
    "task.returned": _return,
    "signers.added": _add_signers,
    "signer.removed": _remove_signer,
}
"""Every kind of input that moves the machine on."""
MOVES = frozenset({*INPUTS, RECALLED, MIGRATED})
"""Every kind of input that may move the machine, on or back."""
