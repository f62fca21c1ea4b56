"""The functional core: definition, state bytes, input and now in; a Step out. No clock, no random numbers, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from engine.bpmn import events, signatures, variables
from engine.bpmn.activities import WORK
from engine.bpmn.definition import Definition, Node
from engine.bpmn.faults import Exhausted, Fault, Thrown
from engine.bpmn.machine import LIMIT, Machine
from engine.bpmn.sentences import rejected
from engine.bpmn.state import SEMANTICS, State, Token, decode, encode, weight, written
from engine.bpmn.steps import Entry, Incident, Step, Wait, Work
from engine.bpmn.timers import stamp
from engine.bpmn.values import Unstorable
from engine.errors import CaseEnded

BUDGET = LIMIT
BYTES = 64 * 1024
"""All variables of a case together."""


def start(
    definition: Definition,
    now: datetime,
    variables: Mapping[str, Any],
    *,
    business_key: str,
    at: str | None = None,
    payload: Any = None,
    semantics: int = SEMANTICS,
    budget: int = BUDGET,
) -> Step:
    """Start a case; ``at`` is the id of the start event that a message (with ``payload``) or timer has met.

    ``semantics`` is how the machine behaves in this case as long as it lives.

    Raises:
        InputRejected: a behaviour this machine does not know, no such start event, a declared input missing, a value
            that cannot be stored, or more steps, tokens or bytes than one call may take. There is no case then.
    """
    _check_start(definition, variables, at, semantics)
    machine = Machine(definition, State(definition.digest, business_key, stamp(now), semantics=semantics), now)

    def begin() -> None:
        scope = machine.open(definition.root, "process", None, dict(variables), start=at is None)
        if at is not None:
            node = definition.scopes[definition.root].nodes[at]
            for trigger in node.triggers[:1]:
                events.store(machine, scope.id, events.Met(node, trigger, payload), None)
            events.begin_at(machine, scope.id, node)

    _taken_in(machine, begin, definition.root)
    return _input_step(machine, budget, definition.root)


def _check_start(definition: Definition, variables: Mapping[str, Any], at: str | None, semantics: int) -> None:
    drawn = definition.scopes[definition.root]
    if not 1 <= semantics <= SEMANTICS:
        raise rejected("state_unknown")
    if at is not None and (at not in drawn.nodes or drawn.nodes[at].kind != "startEvent"):
        raise rejected("no_such_start", definition.root)
    if at is None and not drawn.starts:
        raise rejected("needs_start_event", definition.root)
    if any(name not in variables for name in definition.processes[definition.root].inputs):
        raise rejected("input_missing", definition.root)


def complete(
    definition: Definition,
    state: bytes,
    now: datetime,
    token: int,
    answers: Mapping[str, Any],
    *,
    error: str | None = None,
    budget: int = BUDGET,
) -> Step:
    """The work item ``token`` is done with these answers, or (``error``) a worker reports a BPMN error code for it.

    Answers go into the variable the element names (into variables of their names where it names none); those of an
    error go to the variable of the event that catches it.

    Raises:
        InputRejected: not an open work item, or one to be signed first, an answer missing or not storable, a script or
            condition behind it fails, more than one call may take. CaseEnded. Nothing has happened then.
    """
    machine = load(definition, state, now)
    item = machine.state.tokens.get(token)
    if item is None or item.state != "waiting" or machine.node(item).kind not in WORK:
        raise rejected("not_open")
    node = machine.node(item)
    if not isinstance(answers, Mapping):
        raise rejected("answers_not_plain", node.path)
    done = partial(_done, machine, item, node, answers, error)
    _taken_in(machine, lambda: machine.guarded(item, done), node.path)
    return _input_step(machine, budget, node.path)


def _done(machine: Machine, item: Token, node: Node, answers: Mapping[str, Any], error: str | None) -> None:
    if signatures.unsigned(item) or (error is not None and item.signs is not None):
        raise Fault("signatures_missing" if signatures.unsigned(item) else "signers_sign")
    if error is not None:
        raise Thrown(error, dict(answers))
    if item.signs is None:
        variables.write(machine, item.scope, _collected(item, node, dict(answers)), node.path, item.id)
    if item.signs is None and not item.rounds:
        machine.finish(item, node)
    else:
        signatures.done(machine, item, node, answers)


def _collected(token: Token, node: Node, answers: dict[str, Any]) -> dict[str, Any]:
    name = node.variable or (node.operation.result if node.operation else None)
    values = {name: answers} if name else answers
    collected = (node.loop.output or node.loop.outputs) if token.instance is not None and node.loop else None
    if collected and collected not in values:
        raise Fault("answer_missing")
    return values


def deliver(
    definition: Definition, state: bytes, now: datetime, wait: int, payload: Any, *, budget: int = BUDGET
) -> Step:
    """Give a message or signal to the one subscription ``wait`` (a number of ``Step.waits``).

    Raises:
        InputRejected: nothing of that number waits, payload not storable, a condition behind it fails, more than one
            call may take. CaseEnded. Nothing has happened then.
    """
    machine = load(definition, state, now)
    sub = machine.state.subs.get(wait)
    if sub is None or sub.kind not in ("message", "signal"):
        raise rejected("nothing_waits")
    where = events.node_of(machine, sub).path
    _taken_in(machine, lambda: events.fire(machine, sub, payload), where)
    return _input_step(machine, budget, where)


def fire(
    definition: Definition,
    state: bytes,
    now: datetime,
    moments: Mapping[str, datetime],
    *,
    since: datetime | None = None,
    budget: int = BUDGET,
) -> Step:
    """Fire every timer due by ``now``, earliest first, each with its own due moment as now, running to rest after each.

    ``moments`` gives the moments of running deadlines by kind; a timer written ``deadline('kind')`` has no other. A
    timer whose consequences need more than one call may take does not fire: it has an incident. ``since``: the case
    stood still until then, so that nothing happens before it; what was due earlier says when (``detail`` {"due"}).

    Raises: InputRejected (unknown state, other definition), CaseEnded.
    """
    machine = load(definition, state, now)
    stamps = {kind: stamp(moment) for kind, moment in moments.items()}
    before = datetime.fromisoformat(machine.state.at)
    latest = machine.now = max(before, since or before)
    total = budget  # what all timers may take together before the caller has to ask again
    while total > 0 and not machine.live() and machine.state.outcome is None:
        found = events.due(machine, now, stamps)
        if found is None:
            machine.now = max(now, latest)
            break
        kept = (encode(machine.state), len(machine.entries), len(machine.acts), len(machine.sent))
        latest = machine.now = max(latest, datetime.fromisoformat(found[0]).astimezone(now.tzinfo))
        machine.state.spent = 0
        try:
            events.fire(machine, found[1], None, found[0] if since and found[0] < stamp(since) else None)
            total -= budget - machine.run(budget)
            if weight(machine.state) > BYTES:
                raise Exhausted("too_much_data")
        except (Exhausted, Unstorable) as error:
            machine = _undone(machine, kept)
            code = error.code if isinstance(error, Exhausted) else "value_not_storable"
            events.fail(machine, machine.state.subs[found[1].id], code)
    return step_of(machine)


def _undone(machine: Machine, kept: tuple[bytes, int, int, int]) -> Machine:
    """The machine as it was before the last timer."""
    before = Machine(machine.definition, decode(kept[0]), machine.now)
    before.entries, before.acts = machine.entries[: kept[1]], machine.acts[: kept[2]]
    before.sent = machine.sent[: kept[3]]
    return before


def resume(
    definition: Definition, state: bytes, now: datetime, *, retry: int | None = None, budget: int = BUDGET
) -> Step:
    """Go on after a spent budget, at the moment of the call that spent it.

    ``retry`` is the number of an incident to be tried again where it failed.

    Raises: InputRejected (no such incident; unknown state), CaseEnded.
    """
    machine = load(definition, state, now)
    if retry is not None:
        machine.state.spent = 0
        _retry(machine, retry)
    else:
        machine.now = datetime.fromisoformat(machine.state.at)
    try:
        machine.run(budget)
        return step_of(machine)
    except Exhausted as error:
        machine = load(definition, state, now)
        _block(machine, retry, error.code)
        return step_of(machine)


def _retry(machine: Machine, number: int) -> None:
    token, sub = machine.state.tokens.get(number), machine.state.subs.get(number)
    if token is not None and token.state == "failed":
        token.state, token.incident, token.loop = "ready", None, None
        machine.queue(token)
    elif sub is not None and sub.incident is not None:
        try:
            events.rearm(machine, sub)
        except Fault as fault:
            events.fail(machine, sub, fault.code)
    else:
        raise rejected("no_incident")


def _block(machine: Machine, retry: int | None, code: str) -> None:
    """Too much for one call: the retried token keeps its incident, or all that are ready get one."""
    numbers = [retry] if retry is not None else list(machine.state.ready)
    for number in numbers:
        if number in machine.state.subs:
            events.fail(machine, machine.state.subs[number], code)
        elif number in machine.state.tokens:
            machine.fail(machine.state.tokens[number], code)
    machine.state.ready.clear()


def read(definition: Definition, state: bytes, token: int | None = None) -> dict[str, Any]:
    """The variables a token sees, or those of the process; a copy of the caller's own.

    Raises: InputRejected (no such token, unknown state).
    """
    machine = Machine(definition, decode(state), datetime.min.replace(tzinfo=UTC))
    if token is not None and token not in machine.state.tokens:
        raise rejected("not_open")
    root = next(scope.id for scope in machine.state.scopes.values() if scope.token is None)
    return variables.read(machine, root if token is None else machine.state.tokens[token].scope)


# -- around every call
def load(definition: Definition, state: bytes, now: datetime) -> Machine:
    """A machine over a stored state. Raises: InputRejected (unknown state, other definition), CaseEnded."""
    loaded = decode(state)
    if loaded.definition != definition.digest:
        raise rejected("other_definition")
    if loaded.outcome is not None:
        raise CaseEnded(outcome=loaded.outcome)
    return Machine(definition, loaded, now)


def _taken_in(machine: Machine, work: Callable[[], None], where: str) -> None:
    """Take an input in: what goes wrong now rejects it, and the old state stays valid."""
    machine.strict = True
    try:
        work()
    except Fault as fault:
        raise rejected(fault.code, where) from fault
    except Unstorable as error:
        raise rejected("value_not_storable", where) from error
    machine.strict = False


def _input_step(machine: Machine, budget: int, where: str) -> Step:
    try:
        machine.run(budget)
        return step_of(machine)
    except Exhausted as error:
        raise rejected(error.code, where) from error


def _written(machine: Machine) -> tuple[bytes, int]:
    """The new state and its format. Raises: Exhausted where the variables have grown too large."""
    content, form = written(machine.state)
    grown = len(content) > BYTES and any(entry.kind == "variables.written" for entry in machine.entries)
    if grown and weight(machine.state) > BYTES:
        raise Exhausted("too_much_data")
    return content, form


def step_of(machine: Machine) -> Step:
    """What a call hands back once the machine has come to rest. Raises: Exhausted."""
    state = machine.state
    state.at = stamp(machine.now)
    more = state.outcome is None and machine.live()
    if not more:
        state.spent = 0
    work, waits, incidents = _work(machine), _waits(machine), _incidents(machine)
    if state.outcome is not None:
        end = Entry(
            kind="case.ended",
            at=machine.now,
            element=machine.definition.root,
            scope=next(s.id for s in state.scopes.values() if s.token is None),
            detail={"outcome": state.outcome},
        )
        machine.entries.append(end)
    content, form = _written(machine)
    return Step(
        state=content,
        entries=tuple(machine.entries),
        work=work,
        waits=waits,
        acts=tuple(machine.acts),
        sent=tuple(machine.sent),
        incidents=incidents,
        outcome=state.outcome,
        more=more,
        stuck=not (state.outcome is not None or more or work or waits or incidents),
        format=form,
        semantics=state.semantics,
    )


def _work(machine: Machine) -> tuple[Work, ...]:
    found = []
    for token in machine.state.tokens.values():
        node = machine.node(token)
        if token.state == "waiting" and node.kind in WORK:
            lane = node.lane if token.signs is None else None
            found.append(
                Work(
                    token=token.id,
                    element=node.path,
                    name=node.name,
                    role=lane.id if lane else "",
                    role_name=lane.name if lane else "",
                    scope=token.where or "",
                    form=node.form if token.signs is None else None,
                    instance=token.instance,
                    attributes=node.properties,
                    **(signatures.mark(machine, token) if token.rounds or token.signs is not None else {}),
                )
            )
    return tuple(found)


def _waits(machine: Machine) -> tuple[Wait, ...]:
    return tuple(
        Wait(
            number=sub.id,
            kind=sub.kind,
            name=sub.name,
            key=sub.key,
            element=events.node_of(machine, sub).path,
            due=datetime.fromisoformat(sub.due) if sub.due else None,
            deadline=sub.deadline,
        )
        for sub in machine.state.subs.values()
        if sub.incident is None
    )


def _incidents(machine: Machine) -> tuple[Incident, ...]:
    state = machine.state
    found = [(t.id, machine.path(t), t.incident) for t in state.tokens.values() if t.incident]
    found += [(s.id, events.node_of(machine, s).path, s.incident) for s in state.subs.values() if s.incident]
    return tuple(
        Incident(token=number, element=element, code=code, at=datetime.fromisoformat(at))
        for number, element, (code, at) in found
    )
