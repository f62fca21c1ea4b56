"""Verbs on a case: start it, fire what is due, follow the calendar."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from engine import bpmn
from engine.bpmn import Definition, Lane, expressions
from engine.bpmn.expressions import ExpressionError
from engine.calendar import SHANGHAI, Calendar
from engine.commands.attempt import acted_as, attempt
from engine.commands.office import Office
from engine.commands.record import Record, outcome_from_plain, outcome_of, outcome_to_plain
from engine.errors import CaseSuspended, Finding, Forbidden, Invalid, Refused
from engine.model import ActedAs, Actor, CaseStatus, Once, Outcome, Release
from engine.store import Case, CasePage, Series, Transaction, new_id
from engine.store.points import reached

# How many moments one command makes up for when nobody has come by for long.
MOMENTS = 100
# What the numbers look like that the district gives; a caller's own key never looks so.
GIVEN_NUMBER = re.compile(r"(\d{31}|[A-Za-z_][A-Za-z0-9_]*-)\d{12,}")


def start_case(
    office: Office,
    actor: Actor,
    process_key: str,
    variables: Mapping[str, Any],
    *,
    business_key: str | None = None,
    once: Once | None = None,
) -> Outcome:
    """Start a case of a published process.

    ``variables`` may hold the root process's declared inputs only. Without ``business_key`` a service item's case gets
    the 43-digit number (item code, date, four-digit serial), any other a number of the process's own series.

    Raises:
        NotFound: no such process. Forbidden: the actor does not hold the role of the lane the start event lies in.
        Invalid: a variable the process does not declare, a key of the form the district gives. BusinessKeyTaken.
        In all cases only the refusal is recorded.
    """
    given = {"process": process_key, "variables": dict(variables), "business_key": business_key}
    with attempt(office, actor, "start", given), office.store.transaction() as tx:
        # Before the key is written: a process nobody knows may have a name longer than any index takes.
        release = office.current_release(process_key)
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        definition = office.definition(release)
        values = _inputs(definition, variables) | item_of(office, definition)
        role, scope = starter(definition, values)
        if actor.holding(role, scope) is None:
            raise Forbidden(role=role, scope=scope)
        _check_key(business_key)
        number = business_key or next_number(tx, process_key, values.get("item"))
        who = acted_as(actor, role, scope)
        record = new_record(office, tx, release, number=number, actor=who, scope=scope)
        record.input("case.started", detail={"process": release.root, "business_key": number}, values=values)
        record.take(bpmn.start(definition, record.now, values, business_key=number, semantics=release.semantics))
        return saved(tx, record.case, record, actor, once)


def new_record(
    office: Office,
    tx: Transaction,
    release: Release,
    *,
    number: str,
    actor: ActedAs,
    scope: str,
    case_id: UUID | None = None,
) -> Record:
    """A case of its own under this number, in which nothing has happened yet."""
    tx.put_release(release)
    case = tx.new_case(
        case_id or new_id(),
        business_key=number,
        process_key=release.root,
        release=release.digest,
        started_by=actor.account,
        scope=scope,
    )
    return opened(office, tx, case, actor)[2]


def _inputs(definition: Definition, variables: Mapping[str, Any]) -> dict[str, Any]:
    allowed = set(definition.processes[definition.root].inputs) - {"item"}
    findings = [
        Finding(
            where=f"variables.{name[:40]}",
            rule="undeclared_variable",
            zh="流程没有声明这个输入变量",
            en="The process declares no such input",
        )
        for name in variables
        if name not in allowed
    ]
    if findings:
        raise Invalid(findings)
    return dict(variables)


def _check_key(business_key: str | None) -> None:
    """A number taken out of turn would stop every later start: the series gives it again and again."""
    if business_key is not None and GIVEN_NUMBER.fullmatch(business_key):
        zh, en = "这种格式的编号由系统分配", "Numbers of this form are given by the system"
        raise Invalid([Finding(where="business_key", rule="reserved", zh=zh, en=en)])


def item_of(office: Office, definition: Definition) -> dict[str, Any]:
    """The variable ``item`` of a service item's process; nothing for any other."""
    code = definition.processes[definition.root].properties.get("item")
    return {"item": office.registers(office.published()).item(code)} if code else {}


def starter(definition: Definition, values: Mapping[str, Any]) -> tuple[str, str]:
    """Role and scope of the lane in which the root's start event lies: who may start the process.

    Raises:
        Forbidden: the start event lies in no lane, so nobody may.
    """
    lane = start_lane(definition)
    if lane is None:
        raise Forbidden(process=definition.root)
    try:
        where = expressions.evaluate(lane.scope_expression, values) if lane.scope_expression else "liwan"
    except ExpressionError as error:
        raise Refused([], "The lane's scope cannot be read", element=lane.id) from error
    return lane.id, str(where)


def next_number(tx: Transaction, process_key: str, item: Mapping[str, Any] | None) -> str:
    """A case number: the national 43 digits for a service item (31-digit code, date, serial)."""
    today = tx.now().astimezone(SHANGHAI)
    stem = f"{item['code'] if item else process_key + '-'}{today:%Y%m%d}"
    series = Series(kind="case", unit=stem, year=today.year, pattern=stem + "{number}")
    return tx.next_number(series)


def saved(tx: Transaction, case: Case, record: Record, actor: Actor, once: Once | None) -> Outcome:
    """Write everything, remember the answer, and only then let the transaction commit."""
    tx.save(case, record.changes())
    outcome = outcome_of(case)
    if once:
        tx.remember(actor, once, outcome_to_plain(outcome), case)
    return outcome


@contextmanager
def settled(office: Office, lock: Callable[[Transaction], Case]) -> Iterator[tuple[Transaction, Case]]:
    """A transaction that holds the case, with every timer due by now fired before (each lot committed by itself).

    So nothing depends on when the worker came by: what has lapsed has lapsed for everybody.
    """
    while True:
        with office.store.transaction() as tx:
            case = lock(tx)
            if case.status is CaseStatus.ENDED or case.wake_at is None or case.wake_at > tx.now():
                reached("after_lock")
                yield tx, case
                return
            fire(office, tx, case)


def opened(
    office: Office, tx: Transaction, case: Case, actor: ActedAs | None, *, suspended: bool = False
) -> tuple[Release, Definition, Record]:
    """The case's own release, and an empty record of what this command will do to it.

    Raises:
        CaseSuspended: nothing moves while the case stands still, but for the verbs that say so (``suspended``).
    """
    if not suspended:
        check_moving(case)
    release, definition = office.release_of(case.release)
    record = Record(office=office, case=case, release=release, definition=definition, actor=actor, now=tx.now())
    return release, definition, record


def fire(office: Office, tx: Transaction, case: Case) -> None:
    """Fire the locked case's timers and mark its breached deadlines up to now; one command, by nobody.

    Moment by moment, as if somebody had always come by in time: what happens at one may begin, meet or end what would
    be due at the next. Very many moments take several commands; ``wake_at`` then says that there is more.
    """
    _, _, record = opened(office, tx, case, None, suspended=True)
    if case.status is CaseStatus.SUSPENDED:
        judged(record)
    else:
        until_now(record, case.state)
    tx.save(case, record.changes())


def until_now(record: Record, state: bytes | None, since: datetime | None = None) -> None:
    """Everything due by the command's moment happens in its order; nothing before ``since``, a standstill's end."""
    until = record.now
    for _ in range(MOMENTS):
        moment = record.wake_at()
        if state is None or moment is None or moment > until:
            break
        state = at_moment(record, state, moment, since)


def at_moment(record: Record, state: bytes, moment: datetime, since: datetime | None = None) -> bytes:
    """What is due at one moment happens: deadlines run out, timers fire; the state after it."""
    # A moment reckoned by the calendar comes in local time; history writes all its moments in one way.
    moment = moment.astimezone(UTC)
    record.now = max(moment, since or moment)
    moments = record.clocks.moments()
    told: dict[str, Any] = {"moments": {kind: at.isoformat() for kind, at in sorted(moments.items())}}
    record.input("timer.fired", detail=told | ({"since": since.isoformat()} if since else {}))
    for kind, detail in record.clocks.breach(moment):
        record.derived(kind, detail=detail, occurred_at=moment)
    step = bpmn.fire(record.definition, state, record.now, moments, since=since)
    record.take(step)
    return step.state


def judged(record: Record) -> None:
    """Deadlines run out in a suspended case too: the law's time does not stand still with the work."""
    record.input("deadlines.judged")
    for kind, detail in record.clocks.breach(record.now):
        record.derived(kind, detail=detail, occurred_at=datetime.fromisoformat(detail["due_at"]))


def check_moving(case: Case) -> None:
    """Raises CaseSuspended while the case stands still."""
    if case.status is CaseStatus.SUSPENDED:
        raise CaseSuspended()


def fire_due(office: Office, case_id: UUID) -> None:
    """Fire what is due in one case; nothing where somebody else did so meanwhile. Raises NotFound."""
    with settled(office, lambda tx: tx.lock_case(case_id)):
        pass


def start_lane(definition: Definition) -> Lane | None:
    """The lane in which the root's start event lies: a plain one, else one that an event meets."""
    scope = definition.processes[definition.root].scopes[definition.root]
    met = (node.id for node in scope.nodes.values() if node.kind == "startEvent" and node.triggers)
    return next((scope.nodes[name].lane for name in (*scope.starts, *met) if scope.nodes[name].lane), None)


def may_act(actor: Actor, definition: Definition, case: Case | CasePage) -> bool:
    """May the actor act on the case as a whole: who may start such a case where it was started, or who did."""
    lane = start_lane(definition)
    if actor.account is not None and actor.account == case.started_by:
        return True
    return lane is not None and actor.holding(lane.id, case.scope) is not None


def answered(office: Office, actor: Actor, once: Once | None) -> Any:
    """The answer given before under this key, as plain JSON, asked for without the case: it may wait no more.

    Raises:
        KeyReused: the key came with another request.
    """
    if once is None:
        return None
    with office.store.transaction() as tx:
        answer = tx.recall(actor, once)
        tx.abandon()
    return answer


def recompute_deadlines(office: Office, case_id: UUID) -> None:
    """Put the case's open deadlines under the calendar in force, one event each; what was due before has lapsed.

    Raises:
        NotFound: no such case.
    """
    with settled(office, lambda tx: tx.lock_case(case_id)) as (tx, case):
        if case.status is CaseStatus.ENDED:
            return
        _, _, record = opened(office, tx, case, None, suspended=True)
        if recomputed(record, office.current_calendar()):
            tx.save(case, record.changes())


def recomputed(record: Record, calendar: Calendar) -> int:
    """Another calendar has come into force; how many deadlines it moved."""
    record.input("calendar.changed", detail={"calendar": calendar.version})
    moved = list(record.clocks.recompute(calendar))
    for kind, detail in moved:
        record.derived(kind, detail=detail)
    return len(moved)
