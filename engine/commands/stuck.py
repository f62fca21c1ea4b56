"""What is stuck and why, in words, and the verb that tries it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from engine import bpmn
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import answered, opened, saved, settled, until_now
from engine.commands.office import Office
from engine.commands.record import DEADLOCK, UNCAUGHT, Record, outcome_from_plain, outcome_of, outcome_to_plain
from engine.errors import DatabaseBusy, Forbidden, NotFound, StillStuck
from engine.model import Actor, CaseStatus, Once, Outcome
from engine.store import Case, Incident, IncidentRow, NewIncident, Transaction, queries
from engine.store.checkpoints import Uncopied, uncopied

FIRING_FAILED = "firing_failed"
# What the host itself gives as a reason; the machine's are the machine's to explain.
HOST: Mapping[str, tuple[str, str]] = {
    DEADLOCK: (
        "没有任何分支能继续，流程图存在死锁；须修改流程并迁移办件",
        "No branch can go on: the diagram has a deadlock. Mend it and move the case",
    ),
    FIRING_FAILED: ("到期事项处理失败，系统会再试", "What fell due could not be done; it is tried again"),
    "unforeseen": ("发生未预料的错误，详见服务器日志", "An unforeseen error; see the server's log"),
    UNCAUGHT: ("没有环节处理的错误结束了办件；重试即表示已查看", "An error nothing caught ended the case; retry: seen"),
    "message_expired": ("保留期限内没有办件接收该消息", "No case has waited for the message in time"),
    "message_forbidden": ("发送人无权向该办件发送此消息", "The sender may not send this message to the case"),
    "message_misfit": ("消息内容不符合规定的格式", "The message's content does not fit"),
    "message_refused": ("接收方不能接收该消息", "The receiver cannot take the message"),
    "receiver_suspended": ("接收的办件已中止，系统会再试", "The receiving case is suspended; it is tried again"),
    "template_failed": ("文书或者短信模板无法生成", "The template of a paper or message cannot be rendered"),
}
# Codes with something behind them: an HTTP status, the number of an operating system's error, a network's failure.
FAMILIES: tuple[tuple[str, str, str], ...] = (
    ("http_", "对方系统拒绝接收（{rest}）", "The other system refused it ({rest})"),
    ("spool_", "短信文件无法写入（{rest}）", "The spool of messages cannot be written ({rest})"),
)
NETWORK = ("无法连接对方系统（{code}）", "The other system cannot be reached ({code})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuck:
    """Something that is stuck, in words. ``process_key`` is the case's root; no ``element``: the whole case."""

    id: UUID
    case_id: UUID
    business_key: str
    process_key: str
    process_name: str
    status: CaseStatus
    element: str | None
    element_name: str
    code: str
    zh: str
    en: str
    opened_at: datetime
    job: bool
    may_retry: bool


def incidents(office: Office, actor: Actor) -> tuple[Stuck, ...]:
    """What is stuck, of the cases the actor may see or keeps running, the oldest first."""
    with office.store.reading() as reading:
        rows = queries.incidents(reading, actor)
    return tuple(_stuck(office, actor, row) for row in rows)


def uncopied_checkpoints(office: Office, actor: Actor) -> tuple[Uncopied, ...]:
    """Checkpoints that could not be copied outside, for system administrators; they are tried again by themselves."""
    if not actor.scopes("system_admin"):
        return ()
    with office.store.reading() as reading:
        return uncopied(reading)


def _stuck(office: Office, actor: Actor, row: IncidentRow) -> Stuck:
    release, definition = office.release_of(row.release)
    try:
        name = definition.node(row.element).name if row.element else ""
    except KeyError:
        name = ""
    zh, en = explained(row.code)
    return Stuck(
        id=row.id,
        case_id=row.case_id,
        business_key=row.business_key,
        process_key=row.process_key,
        process_name=definition.processes[release.root].name,
        status=row.status,
        element=row.element,
        element_name=name,
        code=row.code,
        zh=zh,
        en=en,
        opened_at=row.opened_at,
        job=row.job,
        may_retry=row.status is not CaseStatus.SUSPENDED and actor.holding("system_admin", row.scope) is not None,
    )


def stuck_diagram(office: Office, actor: Actor, incident_id: UUID) -> bytes:
    """The XML of the process in which an incident lies, for who may see the incident. Raises NotFound."""
    with office.store.reading() as reading:
        row = next((each for each in queries.incidents(reading, actor) if each.id == incident_id), None)
    if row is None:
        raise NotFound()
    release, _ = office.release_of(row.release)
    key = row.element.partition("/")[0] if row.element else row.process_key
    return office.store.artefact(release.processes[key])


def explained(code: str) -> tuple[str, str]:
    """The sentences of any incident's code, Chinese and English."""
    known = HOST.get(code) or bpmn.sentence(code)
    if known is not None:
        return known
    for prefix, zh, en in FAMILIES:
        if code.startswith(prefix):
            rest = code.removeprefix(prefix)
            return zh.format(rest=rest), en.format(rest=rest)
    return NETWORK[0].format(code=code), NETWORK[1].format(code=code)


def retry_incident(office: Office, actor: Actor, incident_id: UUID, *, once: Once | None = None) -> Outcome:
    """Try a stuck element again, from where it failed.

    Raises:
        NotFound: no such open incident of a case the actor may see.
        Forbidden: only a system administrator of the case's scope may. CaseSuspended.
        StillStuck: what was due fails again.
        An element that fails again keeps its incident: that is no error, the attempt is history.
    """
    with attempt(office, actor, "retry", {"incident": str(incident_id)}) as made:
        found: list[Incident] = []

        def lock(tx: Transaction) -> Case:
            case, incident = tx.lock_incident(incident_id)
            found[:] = [incident]
            if incident.code == FIRING_FAILED:
                case.wake_at = None  # what is due is what failed: it is tried below, where a failure is told
            return case

        try:
            with settled(office, lock) as (tx, case):
                made.case = case.id
                if once and (answer := tx.recall(actor, once)) is not None:
                    return outcome_from_plain(answer)
                return _retry(office, tx, case, found[0], actor=actor, once=once)
        except NotFound:
            if (before := answered(office, actor, once)) is not None:
                return outcome_from_plain(before)
            raise


def _retry(
    office: Office, tx: Transaction, case: Case, incident: Incident, *, actor: Actor, once: Once | None
) -> Outcome:
    if actor.holding("system_admin", case.scope) is None:
        queries.case_page(tx, actor, case.id)
        raise Forbidden(role="system_admin")
    _, definition, record = opened(office, tx, case, acted_as(actor, "system_admin", case.scope))
    if case.status is CaseStatus.ENDED and incident.job is None:
        return _seen(tx, incident, record, actor=actor, once=once)
    tried = {"code": incident.code, **({"job": str(incident.job)} if incident.job else {})}
    record.input("incident.retried", element=incident.element, token=incident.token, detail=tried)
    if incident.job is not None:
        tx.retry_job(incident)
    elif case.state is not None:
        step = bpmn.resume(definition, case.state, record.now, retry=incident.token)
        record.take(step)
        if incident.code == FIRING_FAILED:
            _fire(record, step.state)
    return saved(tx, case, record, actor, once)


def _seen(tx: Transaction, incident: Incident, record: Record, *, actor: Actor, once: Once | None) -> Outcome:
    """An ended case has nothing to try again: who asks has seen what went wrong, and it is closed."""
    case = record.case
    record.input("incident.closed", element=incident.element, detail={"code": incident.code})
    left = (i for i in case.incidents if i.job is None and i.id != incident.id)
    kept = tuple(NewIncident(token=i.token, element=i.element, code=i.code) for i in left)
    tx.save(case, replace(record.changes(), incidents=kept))
    outcome = outcome_of(case)
    if once:
        tx.remember(actor, once, outcome_to_plain(outcome), case)
    return outcome


def _fire(record: Record, state: bytes) -> None:
    """What the worker could not do; here its failure is the answer, whatever it is."""
    try:
        until_now(record, state)
    except DatabaseBusy:
        raise
    except Exception as error:
        raise StillStuck() from error
