"""The verb that moves a running case to the release in force: planned first, then done, never by editing rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from engine import bpmn
from engine.bpmn import Definition, Line, Step
from engine.commands.again import MIGRATED
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import opened, saved, settled
from engine.commands.office import Office
from engine.commands.record import Record, outcome_from_plain
from engine.errors import CaseEnded, Finding, Forbidden, NotFound, ReleaseUnchanged
from engine.model import Actor, Once, Outcome, Release
from engine.store import Case, Transaction, queries

# Where the case's summary keeps what its elements were called before: {path in an earlier release: path now}.
KEPT = "moved"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedLine:
    """A line of the plan in words, with the elements it could be mapped to."""

    what: str
    number: int
    element: str
    element_name: str
    target: str
    target_name: str
    verdict: str
    zh: str
    en: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """What a migration would do. ``origin`` and ``target`` are the releases' digests; it fits without ``findings``."""

    case: UUID
    business_key: str
    process_key: str
    process_name: str
    origin: str
    target: str
    lines: tuple[PlannedLine, ...]
    findings: tuple[Finding, ...]
    fits: bool


def plan_migration(
    office: Office, actor: Actor, case_id: UUID, mapping: Mapping[str, str], variables: Mapping[str, Any] | None = None
) -> Migration:
    """What would become of a case in the release that a start would take now. Nothing is written.

    ``mapping``: paths of elements in the case's release to paths in the other; ``variables``: inputs it lacks there.

    Raises:
        NotFound: no such case, none that the actor may see, or its process is not published any more.
        Forbidden: only a system administrator of the case's scope. CaseEnded, ReleaseUnchanged.
    """
    with office.store.transaction() as tx:
        case = _allowed(tx, actor, tx.lock_case(case_id))
        release, old, new = _releases(office, case)
        found = bpmn.plan(old, new, case.state or b"", tx.now(), mapping, values=variables)
        tx.abandon()
    return Migration(
        case=case.id,
        business_key=case.business_key,
        process_key=case.process_key,
        process_name=new.processes[new.root].name,
        origin=case.release,
        target=release.digest,
        lines=tuple(_line(old, new, line) for line in found.lines),
        findings=found.findings,
        fits=found.fits,
    )


def migrate_case(
    office: Office,
    actor: Actor,
    case_id: UUID,
    mapping: Mapping[str, str],
    *,
    variables: Mapping[str, Any] | None = None,
    once: Once | None = None,
) -> Outcome:
    """Move a case to the release that a start would take now; a suspended one stays suspended.

    Open tasks keep their form, role, scope and claim; timers keep their moments; deadlines run on.

    Raises:
        NotFound, Forbidden, CaseEnded, ReleaseUnchanged: as for ``plan_migration``.
        InputRejected: every finding of the plan. Only the refusal is recorded then.
    """
    given = {"case": str(case_id), "mapping": dict(mapping), "variables": dict(variables or {})}
    with attempt(office, actor, "migrate", given) as made:
        made.case = case_id
        with settled(office, lambda tx: tx.lock_case(case_id)) as (tx, case):
            if once and (answer := tx.recall(actor, once)) is not None:
                return outcome_from_plain(answer)
            _allowed(tx, actor, case)
            release, old, new = _releases(office, case)
            _, _, here = opened(office, tx, case, acted_as(actor, "system_admin", case.scope), suspended=True)
            record = replace(here, release=release, definition=new)
            tx.put_release(release)
            step = bpmn.migrate(old, new, case.state or b"", record.now, mapping, values=variables)
            moved_to(record, step, mapping, variables or {})
            return saved(tx, case, record, actor, once)


def moved_to(record: Record, step: Step, mapping: Mapping[str, str], variables: Mapping[str, Any]) -> None:
    """Write down a migration in a record of the new release: the input that led there and its step."""
    case = record.case
    detail = {"from": case.release, "to": record.release.digest, "mapping": dict(mapping)}
    record.input(MIGRATED, detail=detail, values={"variables": dict(variables)} if variables else None)
    if mapping:
        record.summary = {**case.summary, KEPT: _renamed(case.summary, mapping)}
    record.take(step)


# -- names of elements in earlier releases
def _renamed(summary: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, str]:
    earlier = {path: mapping.get(now, now) for path, now in summary.get(KEPT, {}).items()}
    return {**earlier, **mapping}


def former(summary: Mapping[str, Any], paths: Iterable[str]) -> list[str]:
    """What the elements at these paths were called in earlier releases of the case."""
    wanted = set(paths)
    return [path for path, now in summary.get(KEPT, {}).items() if now in wanted]


def present(summary: Mapping[str, Any], path: str) -> str:
    """What an element of an earlier release is called now."""
    return str(summary.get(KEPT, {}).get(path, path))


# -- both sides
def _allowed(tx: Transaction, actor: Actor, case: Case) -> Case:
    if actor.holding("system_admin", case.scope) is None:
        queries.case_page(tx, actor, case.id)  # who may not see a case does not learn that it exists
        raise Forbidden(role="system_admin")
    if case.ended_at is not None or case.state is None:
        raise CaseEnded(outcome=case.outcome)
    return case


def _releases(office: Office, case: Case) -> tuple[Release, Definition, Definition]:
    release = office.current_release(case.process_key)
    if release.digest == case.release:
        raise ReleaseUnchanged()
    return release, office.release_of(case.release)[1], office.definition(release)


def next_diagram(office: Office, actor: Actor, case_id: UUID, process_key: str | None = None) -> bytes:
    """The XML of a process of the release in force, for who may move the case to it. Raises NotFound."""
    with office.store.reading() as reading:
        release, _ = office.release_of(queries.case_release(reading, actor, case_id))
    digest = office.current_release(release.root).processes.get(process_key or release.root)
    if digest is None:
        raise NotFound(process=process_key)
    return office.store.artefact(digest)


def _line(old: Definition, new: Definition, line: Line) -> PlannedLine:
    zh, en = bpmn.describe(line.rule) if line.rule else ("", "")
    return PlannedLine(
        what=line.what,
        number=line.number,
        element=line.element,
        element_name=_name(old, line.element),
        target=line.target,
        target_name=_name(new, line.target),
        verdict=line.verdict,
        zh=zh,
        en=en,
        choices=_choices(old, new, line) if line.what == "token" else (),
    )


def _choices(old: Definition, new: Definition, line: Line) -> tuple[tuple[str, str], ...]:
    """Elements of the same kind in the same scope of the other release."""
    scope = new.scopes.get(line.element.rpartition("/")[0])
    kind = old.node(line.element).kind
    nodes = scope.nodes.values() if scope else ()
    return tuple((node.path, node.name) for node in nodes if node.kind == kind)


def _name(definition: Definition, path: str) -> str:
    try:
        return definition.node(path).name
    except KeyError:
        return ""
