"""Signatures added to an open work item (加签): before it is done, after it, or beside it; m of n of them (会签).

A signer's work item is a token of its own at the same element and in the same scope, so that it sees the same
variables, stands at the same place in the diagram, and goes when the one that asked goes. It has no events, loop,
scripts or acts: those are the element's, done once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.bpmn import variables
from engine.bpmn.definition import Node
from engine.bpmn.faults import Fault
from engine.bpmn.state import Token

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine

KINDS = ("before", "after", "beside")
HUMAN = frozenset({"userTask", "manualTask"})
SIGNERS = 50
"""More signers of one call than this are refused."""
DEPTH = 3
"""A signer may ask others, and they once more; no further."""


def add(m: Machine, token: Token, kind: str, signers: Sequence[str], quorum: int | None) -> None:
    """Ask these people to sign at an open work item. Raises: Fault (nothing has changed)."""
    need = len(signers) if quorum is None else quorum
    if m.node(token).kind not in HUMAN or kind not in KINDS:
        raise Fault("signing_kind")
    if not 1 <= len(signers) <= SIGNERS or not 1 <= need <= len(signers) or len({*signers}) < len(signers):
        raise Fault("signing_quorum")
    if _depth(m, token) >= DEPTH:
        raise Fault("signing_depth")
    asked = [_ask(m, token, who) for who in signers]
    token.rounds.append({"kind": kind, "open": [each.id for each in asked], "need": need})
    if kind != "after":
        _begin(m, asked)


def _depth(m: Machine, token: Token) -> int:
    depth = 0
    while token.signs is not None:
        depth, token = depth + 1, m.state.tokens[token.signs]
    return depth


def _ask(m: Machine, token: Token, who: str) -> Token:
    return m.put(
        token.node,
        token.scope,
        state="held",
        instance=token.instance,
        where=token.where,
        signs=token.id,
        signer=who,
    )


def _begin(m: Machine, signers: Sequence[Token]) -> None:
    for signer in signers:
        signer.state = "waiting"
        m.arrived(signer)


def unsigned(token: Token) -> int:
    """How many signatures must come before the work item can be completed."""
    return sum(each["need"] for each in token.rounds if each["kind"] == "before")


def done(m: Machine, token: Token, node: Node, answers: Mapping[str, Any]) -> None:
    """A work item has been completed, its answers written: it goes on once all that was asked for has been signed.

    Raises: Fault.
    """
    if token.signs is not None:
        _keep(m, token, node, answers)
    _begin(m, [m.state.tokens[n] for each in token.rounds if each["kind"] == "after" for n in each["open"]])
    token.state = "held"
    _go_on(m, token, node)


def _keep(m: Machine, token: Token, node: Node, answers: Mapping[str, Any]) -> None:
    """The signature goes into the list the element names, if it names one; history has it in any case."""
    name = node.properties.get("signatures")
    if not name:
        return
    before = variables.read(m, token.scope).get(name)
    if before is not None and not isinstance(before, list):
        raise Fault("not_a_collection")
    variables.write(m, token.scope, {name: [*(before or []), dict(answers)]}, node.path, token.id)


def _go_on(m: Machine, token: Token, node: Node) -> None:
    """What has been done and signed leaves: an element along its flows, a signer to the one it signed for."""
    if token.state != "held" or token.rounds:
        return
    if token.signs is None:
        token.state = "ready"
        m.guarded(token, lambda: m.finish(token, node))
        return
    asked = m.state.tokens[token.signs]
    m.note("element.completed", token)
    m.discard(token)
    _counted(m, asked, token.id, signed=True)
    _go_on(m, asked, node)


def _counted(m: Machine, asked: Token, number: int, *, signed: bool) -> None:
    """One signer fewer; a round that has what it needs is over, and who has not signed by then need not."""
    each = next(one for one in asked.rounds if number in one["open"])
    each["open"].remove(number)
    each["need"] = each["need"] - 1 if signed else min(each["need"], len(each["open"]))
    if each["need"] == 0:
        asked.rounds.remove(each)
        for other in each["open"]:
            m.kill(m.state.tokens[other])


def remove(m: Machine, token: Token) -> None:
    """A signer is not asked any more; of those who are left as many are needed as before, or all. Raises: Fault."""
    if token.signs is None:
        raise Fault("not_a_signer")
    if token.state == "held" and token.stage != "new":
        raise Fault("signed_already")
    asked = m.state.tokens[token.signs]
    m.kill(token)
    _counted(m, asked, token.id, signed=False)
    _go_on(m, asked, m.node(asked))


def cancel(m: Machine, token: Token) -> None:
    """The work item goes: so do all who were asked to sign at it."""
    numbers = [number for each in token.rounds for number in each["open"]]
    token.rounds = []
    for number in numbers:
        m.kill(m.state.tokens[number])


def mark(m: Machine, token: Token) -> dict[str, Any]:
    """What a work item says of signatures: its own mark, or how many it waits for."""
    if token.signs is None:
        return {"unsigned": unsigned(token)}
    asked = m.state.tokens[token.signs]
    kind = next(each["kind"] for each in asked.rounds if token.id in each["open"])
    return {"signing": kind, "signs": token.signs, "signer": token.signer, "unsigned": unsigned(token)}
