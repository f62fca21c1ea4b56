"""Publishing: the designers' rooms, checked by the gate, copied by digest into the store; servers read only that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from engine import forms
from engine.bpmn import gate, messages
from engine.calendar import announced_days, merged_days
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import recompute_deadlines
from engine.commands.office import DISTRICT, Office
from engine.errors import Forbidden, Refused, SanweiError, StaleRevision
from engine.model import Actor, Event, Library, Once
from engine.store import Publication, Transaction, queries

ROOMS = ("processes", "forms")
KINDS = {"bpmn": "process", "dmn": "decision", "csv": "register"}
TEMPLATES = {"documents": "paper", "notices": "notice"}
SOURCE = "source"
"""The kind under which every file is kept as it was written, so that one file can be published alone later."""
DERIVED = (f"{SOURCE}:", "message:")
"""What is published with the files that hold it, and not named beside them."""


def read_library(root: Path) -> Library:
    """All files of the two designers' rooms below ``root``; hidden files are left out."""
    files = {}
    for room in ROOMS:
        for path in sorted((root / room).rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts):
                files[path.relative_to(root).as_posix()] = path.read_bytes()
    return Library(files)


def publish(
    office: Office, actor: Actor, library: Library, *, alone: bool = True, once: Once | None = None
) -> Publication:
    """Publish a library: what changed becomes the next publication, reaching every later start.

    ``alone``: the files are the whole library; else they are laid over the one in force (a file at a time). A changed
    calendar moves the open deadlines that cross it, one event each.

    Raises:
        Forbidden: only a designer may. Refused: the gate found errors; all findings, errors first.
        StaleRevision: the library the files were laid over was replaced meanwhile. Nothing is published then.
    """
    with attempt(office, actor, "publish", {"files": len(library.files)}):
        if not may_publish(actor):
            raise Forbidden(role="designer", scope=DISTRICT)
        before = office.store.publication()
        if not alone:
            library = Library({**published_library(office).files, **library.files})
        findings = gate.check(library)
        if any(finding.severity == "error" for finding in findings):
            raise Refused(sorted(findings, key=lambda finding: finding.severity))
        with office.store.transaction() as tx:
            if once and (answer := tx.recall(actor, once)) is not None:
                return _publication(answer)
            entries = _entries(tx, library)
            publication = tx.publish(entries, actor.account)
            if publication.changed:
                if not alone and publication.number != (before.number + 1 if before else 1):
                    raise StaleRevision()  # laid over a library that is no longer in force: the rival's would be lost
                detail = {"publication": publication.number, "changed": list(publication.changed)}
                event = Event(kind="library.published", input=True, actor=acted_as(actor, "designer"), detail=detail)
                tx.append("definition:", [event])
            moved = before is not None and "register:calendar" in publication.changed
            made = tuple(name for name in publication.changed if not name.startswith(DERIVED))
            publication = replace(publication, changed=made or publication.changed)
            if once:
                tx.remember(actor, once, _plain(publication))
    if moved:
        follow_calendar(office)
    return publication


def _plain(publication: Publication) -> dict[str, Any]:
    at = publication.published_at.isoformat()
    return {**{n: getattr(publication, n) for n in ("number", "entries", "changed")}, "published_at": at}


def _publication(plain: Mapping[str, Any]) -> Publication:
    at, changed = datetime.fromisoformat(plain["published_at"]), tuple(plain["changed"])
    return Publication(number=plain["number"], entries=plain["entries"], published_at=at, changed=changed)


def may_publish(actor: Actor) -> bool:
    """Is this a designer of the district, or the system itself?"""
    return actor.account is None or actor.holding("designer", DISTRICT) is not None


def published_library(office: Office) -> Library:
    """The files of the publication in force, as their designers wrote them; empty before the first."""
    publication = office.store.publication()
    sources = publication.entries.get(SOURCE, {}) if publication else {}
    return Library({path: office.store.artefact(digest) for path, digest in sources.items()})


def _entries(tx: Transaction, library: Library) -> dict[str, dict[str, str]]:
    """Kind → name → digest of everything a running case may need."""
    entries: dict[str, dict[str, str]] = {}
    for path, content in sorted(library.files.items()):
        for kind, name, kept in ((SOURCE, path, content), *_process_file(path, content), *_form_file(path, library)):
            entries.setdefault(kind, {})[name] = tx.put_artefact(kind, name, kept)
    for name, known in messages.known(library).items():
        entries.setdefault("message", {})[name] = tx.put_artefact("message", name, messages.known_to(known))
    return entries


def _process_file(path: str, content: bytes) -> Iterator[tuple[str, str, bytes]]:
    stem, _, ending = path.rpartition("/")[2].rpartition(".")
    if path == "processes/registers/calendar.csv":
        yield "register", stem, merged_days(announced_days(), content)
    elif path.startswith("processes/") and ending in KINDS:
        yield KINDS[ending], _register_name(path) if ending == "csv" else stem, content


def _form_file(path: str, library: Library) -> Iterator[tuple[str, str, bytes]]:
    if not path.startswith("forms/"):
        return
    short = path.removeprefix("forms/")
    folder, _, name = short.rpartition("/")
    stem, _, ending = name.rpartition(".")
    if folder in TEMPLATES:
        yield TEMPLATES[folder], stem, library.files[path]
    elif folder != "fields" and ending == "json":
        yield "form", short, forms.bundle(short, library)


def _register_name(path: str) -> str:
    """``processes/registers/units.csv`` is ``units``; other tables keep their path below ``processes/``."""
    short = path.removeprefix("processes/").removesuffix(".csv")
    return short.removeprefix("registers/")


def follow_calendar(office: Office) -> int:
    """Put every open deadline that was computed by another calendar under the one in force; gives how many failed.

    A case that fails keeps no other from its turn: the publication stands, and the worker comes by again.
    """
    version = office.current_calendar().version
    with office.store.reading() as reading:
        behind = queries.cases_behind_calendar(reading, version)
    failed = 0
    for case_id in behind:
        try:
            recompute_deadlines(office, case_id)
        except SanweiError:
            failed += 1
    return failed
