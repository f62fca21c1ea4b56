"""From a Step of the machine to the writes of one verb: history, tasks, deadlines, papers, notices, incidents."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from engine import bpmn
from engine.bpmn import Act, Definition, Entry, Sent, Step, Work, expressions
from engine.bpmn.expressions import ExpressionError
from engine.commands.clock import Clocks
from engine.commands.shelf import SIGNING_FORM, InForce
from engine.errors import InputRejected, NotBeforeUpgrade
from engine.model import ActedAs, CaseStatus, Event, OpenTask, Outcome, Release, TaskStatus
from engine.store import (
    Case,
    Changes,
    ClaimChange,
    ClosedTask,
    MovedTask,
    NewIncident,
    NewPaper,
    NewTask,
    Outgoing,
    Series,
    WaitRow,
    new_id,
    plain_text,
)

DEADLOCK = "deadlock"
UNCAUGHT = "error_uncaught"
# What a diagram throws for others; an error or escalation nobody caught stays in the case's own history.
THROWN = ("message", "signal")


@dataclass(kw_only=True, slots=True)
class Record:
    """What one command does to one locked case. Fill it with inputs and a step, then ask for ``changes``."""

    office: InForce
    case: Case
    release: Release
    definition: Definition
    actor: ActedAs | None
    now: datetime
    command: UUID = field(default_factory=uuid4)
    events: list[Event] = field(default_factory=list)
    opened: list[NewTask] = field(default_factory=list)
    closed: list[ClosedTask] = field(default_factory=list)
    papers: list[NewPaper] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    claims: list[ClaimChange] = field(default_factory=list)
    urged: list[UUID] = field(default_factory=list)
    attachments: tuple[str, ...] = ()
    uploaded_by: UUID | None = None
    moved: list[MovedTask] = field(default_factory=list)
    milestone: str | None = None
    status: CaseStatus | None = None
    summary: dict[str, Any] | None = None
    step: Step | None = None
    done: ClosedTask | None = None
    clocks: Clocks = field(init=False)

    def __post_init__(self) -> None:
        registers = self.office.kept_registers(self.release)
        self.clocks = Clocks(self.case.deadlines, registers, self.office.current_calendar)

    # -- inputs
    def input(self, kind: str, *, at: datetime | None = None, **facts: Any) -> None:
        """One event from outside; what follows until the next is caused by it."""
        self.events.append(Event(kind=kind, input=True, occurred_at=at or self.now, actor=self.actor, **facts))

    def _cause(self) -> int | None:
        return next((n for n in range(len(self.events) - 1, -1, -1) if self.events[n].input), None)

    def derived(self, kind: str, **facts: Any) -> None:
        """One event that follows from the last input."""
        self.events.append(Event(kind=kind, cause=self._cause(), **facts))

    def attach(self, digests: tuple[str, ...], by: UUID | None) -> None:
        """Files the answers refer to now belong to the case."""
        self.attachments, self.uploaded_by = digests, by

    # -- a step of the machine
    def take(self, step: Step, completed: UUID | None = None, by: UUID | None = None, name: str | None = None) -> None:
        """Everything a step says; ``completed`` is the task that led to it. Steps of one command follow each other."""
        if step.more:
            raise InputRejected([], "The step spent its budget")
        if step.format > self.office.state_format:
            raise NotBeforeUpgrade(format=step.format)
        acts, sent = list(step.acts), [each for each in step.sent if each.kind in THROWN]
        for entry in step.entries:
            self._entry(entry)
            if entry.kind == "event.thrown" and entry.detail["kind"] in THROWN:
                self._send(sent.pop(0))
            while acts and entry.kind in ("element.completed", "event.caught") and _belongs(acts[0], entry):
                self._act(acts.pop(0))
        for act in acts:
            self._act(act)
        if step.outcome is not None:
            self._end_clocks()
        if completed is not None:
            self.done = ClosedTask(id=completed, status=TaskStatus.COMPLETED, at=self.now, by=by, name=name)
        if step.stuck and all(incident.code != DEADLOCK for incident in self.case.incidents):
            self.derived("incident.raised", detail={"code": DEADLOCK})
        self.step = step

    def _entry(self, entry: Entry) -> None:
        self.derived(
            entry.kind,
            occurred_at=entry.at,
            element=entry.element,
            scope=entry.scope,
            token=entry.token,
            flow=entry.flow,
            detail=entry.detail,
            values=entry.values,
        )

    def _tasks(self, step: Step) -> None:
        """What the last step leaves open, compared with what was; a cancelled task names who did it, if anybody."""
        alive = {work.token: work for work in step.work}
        known = {task.token for task in self.case.tasks}
        by, name = (self.actor.account, self.actor.name) if self.actor else (None, None)
        for task in self.case.tasks:
            if self.done and task.id == self.done.id:
                self.closed.append(self.done)
            elif task.token not in alive:
                self.closed.append(ClosedTask(id=task.id, status=TaskStatus.CANCELLED, at=self.now, by=by, name=name))
            elif (task.element, task.name) != ((work := alive[task.token]).element, work.name):
                self.moved.append(MovedTask(id=task.id, element=work.element, name=work.name))
        for work in step.work:
            if work.token not in known:
                self.opened.append(
                    NewTask(
                        id=new_id(),
                        token=work.token,
                        element=work.element,
                        name=work.name,
                        role=work.role,
                        role_name=work.role_name,
                        scope=work.scope,
                        form_digest=self._form(work),
                        instance=work.instance,
                        signing=work.signing,
                        signs=work.signs,
                        assignee=UUID(work.signer) if work.signer else None,
                    )
                )

    def _form(self, work: Work) -> str | None:
        if work.signing:
            # A case moved to a release without it, where somebody is still to be asked: they sign without a form.
            return self.release.forms.get(SIGNING_FORM)
        return self.release.forms[work.form] if work.form else None

    # -- acts drawn in the diagram
    def _act(self, act: Act) -> None:
        where = {"element": act.element, "token": act.token, "scope": act.scope, "occurred_at": act.at}
        if act.verb == "milestone":
            self.milestone = act.name
            self.derived("milestone.reached", detail={"milestone": act.name}, **where)
        elif act.verb == "papers":
            self._paper(act)
        elif act.verb == "notices":
            self._notice(act)
        else:
            for kind, detail in self.clocks.act(act.verb, act.name, act):
                self.derived(kind, detail=detail, **where)

    def _context(self, act: Act) -> dict[str, Any]:
        """What papers and notices are written from: the variables the element saw, the case, its deadlines."""
        item = act.variables.get("item") or {}
        case = {
            "business_key": self.case.business_key,
            "title": self.case.title,
            "milestone": self.milestone or self.case.milestone,
        }
        return {
            **act.variables,
            "agency": item.get("department_name", ""),
            "case": case,
            "deadlines": self.clocks.due(),
        }

    def _paper(self, act: Act) -> None:
        registers = self.office.kept_registers(self.release)
        row = registers.row("papers", act.name)
        item = act.variables.get("item") or {}
        mark = registers.row("departments", item["department"])["mark"] if "department" in item else ""
        series = None
        if row["mark"]:
            pattern = f"荔{mark}{row['mark']}〔{{year}}〕第{{number}}号"
            year = act.at.astimezone(self.clocks.zone).year
            series = Series(kind=act.name, unit=item.get("scope", ""), year=year, pattern=pattern)
        paper = NewPaper(
            id=new_id(),
            kind=act.name,
            title=row["name"],
            template_digest=self.release.papers[act.name],
            values=self._context(act),
            series=series,
            element=act.element,
            token=act.token,
            scope=act.scope,
            cause=self._cause(),
        )
        self.papers.append(paper)

    def _notice(self, act: Act) -> None:
        """A text message, rendered and sent by the worker; without a telephone number there is nobody to tell."""
        row = self.office.kept_registers(self.release).row("notices", act.name)
        try:
            to = expressions.evaluate(row["to"], act.variables) if row.get("to") else None
        except ExpressionError:
            to = None
        where = {"element": act.element, "token": act.token, "scope": act.scope, "occurred_at": act.at}
        if not isinstance(to, str) or not to:
            self.derived("notice.impossible", detail={"notice": act.name}, **where)
            return
        template = self.release.notices[act.name]
        payload = {"to": to, "template": template, "values": self._context(act)}
        detail = {"notice": act.name, "template": template}
        self.derived("notice.queued", detail=detail, values={"written_from": digest_of(payload)}, **where)
        self.outgoing.append(Outgoing(id=new_id(), kind="sms", name=act.name, payload=payload))

    def _send(self, sent: Sent) -> None:
        """A message or signal for others leaves with the commit. The number of its event is its id for ever."""
        number = self.case.events + len(self.events)
        payload = {"id": str(number), "key": sent.key, "payload": sent.payload, "element": sent.element}
        self.outgoing.append(Outgoing(id=new_id(), kind=sent.kind, name=sent.name or "", payload=payload))

    def _end_clocks(self) -> None:
        for kind, detail in self.clocks.end(self.now):
            self.derived(kind, detail=detail, occurred_at=self.now)

    # -- what is written
    def changes(self) -> Changes:
        """The writes of this command, its last event carrying the state's digest."""
        step = self.step
        self.note_calendar()
        semantics = step.semantics if step else bpmn.semantics_of(self.case.state or b"")
        common = {"command": self.command, "semantics": semantics, **self._clock_changes()}
        if step is None:
            return Changes(
                events=tuple(self.events),
                claims=tuple(self.claims),
                urged=tuple(self.urged),
                attachments=self.attachments,
                uploaded_by=self.uploaded_by,
                status=self.status,
                summary=self.summary,
                **common,
            )
        self._tasks(step)
        self.events[-1] = replace(self.events[-1], state_digest=hashlib.sha256(step.state).hexdigest())
        return Changes(
            events=tuple(self.events),
            state=step.state,
            status=CaseStatus.ENDED if step.outcome is not None else self.status,
            summary=self.summary,
            outcome=step.outcome,
            milestone=self.milestone,
            title=self._title(step),
            opened=tuple(self.opened),
            closed=tuple(self.closed),
            moved=tuple(self.moved),
            release=self.release.digest,
            waits=tuple(_wait(w) for w in step.waits),
            incidents=_incidents(step),
            papers=tuple(self.papers),
            outgoing=tuple(self.outgoing),
            attachments=self.attachments,
            uploaded_by=self.uploaded_by,
            **common,
        )

    def note_calendar(self) -> None:
        """A calendar that something was computed by came from outside: the command's first input names its version."""
        if self.clocks.consulted is not None:
            first = self.events[0]
            self.events[0] = replace(first, detail={**first.detail, "calendar": self.clocks.consulted})

    def wake_at(self) -> datetime | None:
        """The next timer or breach, as things stand after what was taken so far; timers wait in a suspended case."""
        if (self.status or self.case.status) is CaseStatus.SUSPENDED:
            return self.clocks.next_breach()
        if self.step is None:
            waits = tuple(_unwait(row) for row in self.case.waits)
        else:
            waits = self.step.waits if self.step.outcome is None else ()
        timers = bpmn.next_due(waits, self.clocks.moments())
        return min((m for m in (timers, self.clocks.next_breach()) if m is not None), default=None)

    def _clock_changes(self) -> dict[str, Any]:
        """The worklist sorts by the agency's nearest deadline."""
        return {
            "deadlines": tuple(self.clocks.changed()),
            "wake_at": self.wake_at(),
            "due_at": self.clocks.nearest(),
        }

    def _title(self, step: Step) -> str | None:
        """The case's title where it changed; an expression that fails for now keeps the old one."""
        text = self.definition.processes[self.release.root].properties.get("title")
        if not text or not any(_names(text) & e.values.keys() for e in step.entries if e.values):
            return None
        try:
            title = str(expressions.evaluate(text, bpmn.read(self.definition, step.state)))[:200]
        except ExpressionError:
            return None
        return title if title != self.case.title else None


@lru_cache(maxsize=4096)
def _names(text: str) -> frozenset[str]:
    """The variables a title is made of: asked for after every step, so the text is parsed once."""
    return frozenset(expressions.names(text))


def _incidents(step: Step) -> tuple[NewIncident, ...]:
    """The machine's, one for an error that ended the case because nothing caught it, and one for a case that nothing
    can ever move: no element failed there, the diagram did."""
    found = tuple(NewIncident(token=i.token, element=i.element, code=i.code) for i in step.incidents)
    found += tuple(NewIncident(token=None, element=s.element, code=UNCAUGHT) for s in step.sent if s.kind == "error")
    return (*found, NewIncident(token=None, element=None, code=DEADLOCK)) if step.stuck else found


def digest_of(values: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of plain values; of personal ones it is personal too and belongs into sealed values only."""
    return hashlib.sha256(plain_text(values).encode()).hexdigest()


def _belongs(act: Act, entry: Entry) -> bool:
    return (act.element, act.token) == (entry.element, entry.token)


def _wait(wait: bpmn.Wait) -> WaitRow:
    return WaitRow(
        number=wait.number,
        kind=wait.kind,
        element=wait.element,
        name=wait.name,
        key=wait.key,
        due=wait.due,
        deadline=wait.deadline,
    )


def _unwait(row: WaitRow) -> bpmn.Wait:
    return bpmn.Wait(
        number=row.number,
        kind=row.kind,
        name=row.name,
        key=row.key,
        element=row.element,
        due=row.due,
        deadline=row.deadline,
    )


def outcome_of(case: Case) -> Outcome:
    """What a verb answers about a saved case."""
    tasks = tuple(OpenTask(id=t.id, element=t.element, name=t.name, role=t.role, scope=t.scope) for t in case.tasks)
    return Outcome(
        case=case.id,
        business_key=case.business_key,
        status=case.status,
        outcome=case.outcome,
        milestone=case.milestone,
        tasks=tasks,
        events=case.events,
        incidents=len(case.incidents),
    )


def outcome_to_plain(outcome: Outcome) -> dict[str, Any]:
    """Plain JSON of an outcome, kept under an Idempotency-Key."""
    plain = {name: getattr(outcome, name) for name in Outcome.__slots__}
    plain["case"] = str(outcome.case)
    plain["tasks"] = [{n: str(getattr(t, n)) for n in OpenTask.__slots__} for t in outcome.tasks]
    return plain


def outcome_from_plain(plain: Mapping[str, Any]) -> Outcome:
    """The reverse of ``outcome_to_plain``."""
    tasks = tuple(OpenTask(**{**task, "id": UUID(task["id"])}) for task in plain["tasks"])
    facts = {**plain, "case": UUID(plain["case"]), "status": CaseStatus(plain["status"]), "tasks": tasks}
    return Outcome(**facts)
