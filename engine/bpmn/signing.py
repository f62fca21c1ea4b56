"""The two calls about signatures at a work item: ask people to sign (加签, 会签), and ask one of them no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.bpmn import signatures
from engine.bpmn.activities import WORK
from engine.bpmn.definition import Definition
from engine.bpmn.runtime import BUDGET, _input_step, _taken_in, load
from engine.bpmn.sentences import rejected
from engine.bpmn.state import decode
from engine.bpmn.steps import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Somebody asked to sign who has not done so: by which token, and whether their turn has come."""

    token: int
    signer: str
    kind: str
    turn: bool


def asked(state: bytes, token: int) -> tuple[Asked, ...]:
    """Who is still asked to sign at the work item ``token``, in the order of asking; also once that itself is done.

    Raises: InputRejected (unknown state).
    """
    tokens = decode(state).tokens
    item = tokens.get(token)
    found = [(each["kind"], tokens[number]) for each in item.rounds for number in each["open"]] if item else []
    return tuple(
        Asked(token=one.id, signer=one.signer or "", kind=kind, turn=one.state == "waiting")
        for kind, one in found
        if one.state == "waiting" or one.stage == "new"
    )


def repeated_by(state: bytes, token: int) -> int | None:
    """The token of the nearest multi-instance activity that ``token`` runs inside of; None: it is not repeated.

    Numbers grow, so whatever this round of it has made is numbered above that token, and earlier rounds below.

    Raises: InputRejected (unknown state).
    """
    loaded = decode(state)
    item = loaded.tokens.get(token)
    while item is not None:
        scope = loaded.scopes[item.scope]
        if scope.kind == "instance" or scope.token is None:
            return scope.token
        item = loaded.tokens[scope.token]
    return None


def add_signers(
    definition: Definition,
    state: bytes,
    now: datetime,
    token: int,
    *,
    kind: str,
    signers: Sequence[str],
    quorum: int | None = None,
    budget: int = BUDGET,
) -> Step:
    """Ask people to sign at the open work item ``token``: ``before`` it can be done, ``after`` it, or ``beside`` it.

    ``signers`` are whatever the host knows people by, each once; ``quorum`` of them are enough (all, where None), and
    who has not signed by then need not. Each gets a work item with a number of its own; the element is done when the
    work item itself is, and all rounds are.

    Raises:
        InputRejected: not an open human task, unknown kind, nobody or more than 50 asked, a quorum beyond them, signers
            of signers of signers. CaseEnded. Nothing has happened then.
    """
    machine = load(definition, state, now)
    item = machine.state.tokens.get(token)
    if item is None or item.state != "waiting" or machine.node(item).kind not in WORK:
        raise rejected("not_open")
    where = machine.node(item).path
    _taken_in(machine, lambda: signatures.add(machine, item, kind, signers, quorum), where)
    return _input_step(machine, budget, where)


def remove_signer(definition: Definition, state: bytes, now: datetime, token: int, *, budget: int = BUDGET) -> Step:
    """The signer ``token`` is not asked any more. Of those left as many are needed as before, or all of them.

    Raises: InputRejected (no such signer, has signed already). CaseEnded. Nothing has happened then.
    """
    machine = load(definition, state, now)
    item = machine.state.tokens.get(token)
    if item is None or item.state not in ("waiting", "held"):
        raise rejected("not_open")
    where = machine.node(item).path
    _taken_in(machine, lambda: signatures.remove(machine, item), where)
    return _input_step(machine, budget, where)
