"""Publishing: the designers' rooms, checked by the gate, copied by digest into the store; servers read only that."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from engine import forms
from engine.bpmn import gate
from engine.calendar import announced_days, merged_days
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import recompute_deadlines
from engine.commands.office import Office
from engine.errors import Forbidden, Refused
from engine.model import Actor, Event, Library
from engine.store import Publication, Transaction, queries

ROOMS = ("processes", "forms")


def read_library(root: Path) -> Library:
    """All files of the two designers' rooms below ``root``; hidden files are left out."""
    files = {}
    for room in ROOMS:
        for path in sorted((root / room).rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts):
                files[path.relative_to(root).as_posix()] = path.read_bytes()
    return Library(files)


def publish(office: Office, actor: Actor, library: Library) -> Publication:
    """Publish a whole library: what changed becomes the next publication, reaching every later start.

    A changed calendar moves the open deadlines that cross it, one event each.

    Raises:
        Forbidden: only a designer may. Refused: the gate found errors; all findings; nothing is published.
    """
    with attempt(office, actor, "publish", {"files": len(library.files)}):
        if actor.account is not None and not actor.scopes("designer"):
            raise Forbidden(role="designer")
        findings = gate.check(library)
        errors = [finding for finding in findings if finding.severity == "error"]
        if errors:
            raise Refused(errors)
        before = office.store.publication()
        with office.store.transaction() as tx:
            entries = _entries(tx, library)
            publication = tx.publish(entries, actor.account)
            if publication.changed:
                detail = {"publication": publication.number, "changed": list(publication.changed)}
                event = Event(kind="library.published", input=True, actor=acted_as(actor, "designer"), detail=detail)
                tx.append("definition:", [event])
    if before is not None and "register:calendar" in publication.changed:
        _recompute(office)
    return publication


def _entries(tx: Transaction, library: Library) -> dict[str, dict[str, str]]:
    """Kind → name → digest of everything a running case may need."""
    entries: dict[str, dict[str, str]] = {}

    def put(kind: str, name: str, content: bytes) -> None:
        entries.setdefault(kind, {})[name] = tx.put_artefact(kind, name, content)

    for path, content in library.under("processes/"):
        name = path.rpartition("/")[2]
        stem, _, ending = name.rpartition(".")
        if ending == "bpmn":
            put("process", stem, content)
        elif ending == "dmn":
            put("decision", stem, content)
        elif path == "processes/registers/calendar.csv":
            put("register", "calendar", merged_days(announced_days(), content))
        elif ending == "csv":
            put("register", _register_name(path), content)
    for path, content in library.under("forms/"):
        folder, _, name = path.removeprefix("forms/").rpartition("/")
        stem, _, ending = name.rpartition(".")
        if folder == "documents":
            put("paper", stem, content)
        elif folder == "notices":
            put("notice", stem, content)
        elif folder != "fields" and ending == "json":
            put("form", f"{folder}/{name}", forms.bundle(f"{folder}/{name}", library))
    return entries


def _register_name(path: str) -> str:
    """``processes/registers/units.csv`` is ``units``; other tables keep their path below ``processes/``."""
    short = path.removeprefix("processes/").removesuffix(".csv")
    return short.removeprefix("registers/")


def _recompute(office: Office) -> None:
    for case_id in _open_cases(office):
        recompute_deadlines(office, case_id)


def _open_cases(office: Office) -> tuple[UUID, ...]:
    with office.store.reading() as reading:
        return queries.cases_with_open_deadlines(reading)
