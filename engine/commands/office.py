"""What the verbs work with: the store, and everything published, read once per digest and shared by all threads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, TypeVar

from engine import bpmn, forms
from engine.bpmn import Definition, Process
from engine.calendar import Calendar, read_calendar
from engine.errors import NotFound
from engine.model import Library, Release
from engine.registers import Registers, read_registers
from engine.store import Publication, Store

T = TypeVar("T")

# The scope above all others: what concerns everybody (the library, the clock) is done from here only.
DISTRICT = "liwan"
# What a release names besides processes and forms: the tables and templates a running case may still need.
KEPT_REGISTERS = ("deadline_kinds", "departments", "papers", "notices")


class Office:
    """The store and the compiled publications. One per process; safe to share between threads.

    ``state_format`` is the newest way in which states may be written: that of the oldest server still running.
    """

    def __init__(self, store: Store, *, state_format: int = bpmn.FORMAT) -> None:
        self.store = store
        self.state_format = state_format
        self._known: dict[tuple[str, object], Any] = {}
        self._lock = Lock()

    def _once(self, kind: str, key: object, make: Callable[[], T]) -> T:
        """Content addressed by digest never changes, so whoever comes first makes it for all."""
        found = self._known.get((kind, key))
        if found is None:
            made = make()
            with self._lock:
                found = self._known.setdefault((kind, key), made)
        return found  # type: ignore[no-any-return]

    def process(self, digest: str, decisions: Mapping[str, str]) -> Process:
        """The compiled process of an XML digest, linked to its decisions by digest."""
        key = (digest, tuple(sorted(decisions.items())))
        return self._once("process", key, lambda: self._compile(digest, decisions))

    def _compile(self, digest: str, decisions: Mapping[str, str]) -> Process:
        tables = {name: self.store.artefact(each) for name, each in decisions.items()}
        return bpmn.compile_process(self.store.artefact(digest), decisions=tables)

    def definition(self, release: Release) -> Definition:
        """The linked definition a release names."""
        return self._once("definition", release.digest, lambda: self._link(release))

    def _link(self, release: Release) -> Definition:
        processes = {key: self.process(digest, release.decisions) for key, digest in release.processes.items()}
        return bpmn.link(release.root, processes)

    def release_of(self, digest: str) -> tuple[Release, Definition]:
        """The release a running case names, and its definition."""
        release = self.store.release(digest)
        return release, self.definition(release)

    def form(self, digest: str) -> forms.Form:
        """The form of a digest."""
        return self._once("form", digest, lambda: forms.read_form(self.store.artefact(digest)))

    def current_calendar(self) -> Calendar:
        """The calendar in force: running cases follow it too, their deadlines are recomputed when it changes."""
        digest = self.published().entries["register"]["calendar"]
        return self._once("calendar", digest, lambda: read_calendar(self.store.artefact(digest)))

    def published(self) -> Publication:
        """The publication in force.

        Raises:
            NotFound: nothing has been published yet.
        """
        publication = self.store.publication()
        if publication is None:
            raise NotFound("Nothing has been published yet")
        return publication

    def registers(self, publication: Publication) -> Registers:
        """The registers of a publication."""
        return self._once("registers", publication.number, lambda: self._registers(publication.entries["register"]))

    def kept_registers(self, release: Release) -> Registers:
        """The registers as they were when the case's release was resolved."""
        key = tuple(sorted(release.registers.items()))
        return self._once("kept", key, lambda: self._registers(dict(release.registers)))

    def _registers(self, entries: Mapping[str, str]) -> Registers:
        return read_registers(Library({_register_path(n): self.store.artefact(d) for n, d in entries.items()}))

    def current_release(self, key: str) -> Release:
        """What a start of process ``key`` resolves to now.

        Raises:
            NotFound: no process of that key is published.
        """
        publication = self.published()
        if key not in publication.entries.get("process", {}):
            raise NotFound(process=key)
        return self._once("release", (publication.number, key), lambda: self._resolve(publication, key))

    def _resolve(self, publication: Publication, root: str) -> Release:
        published = publication.entries
        decisions = dict(published.get("decision", {}))
        reached: dict[str, Process] = {}
        waiting = [root]
        while waiting:
            key = waiting.pop()
            if key not in reached:
                reached[key] = self.process(published["process"][key], decisions)
                waiting += reached[key].calls
        parts = {
            "root": root,
            "processes": {key: published["process"][key] for key in sorted(reached)},
            "forms": {path: published["form"][path] for p in reached.values() for path in p.forms},
            "decisions": decisions,
            "papers": _named(reached, "papers", published.get("paper", {})),
            "notices": _named(reached, "notices", published.get("notice", {})),
            "registers": {n: published["register"][n] for n in KEPT_REGISTERS if n in published["register"]},
            "semantics": bpmn.NEWEST_WITH[self.state_format],
        }
        manifest = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return Release(digest=hashlib.sha256(manifest.encode()).hexdigest(), **parts)  # type: ignore[arg-type]


def _named(processes: Mapping[str, Process], verb: str, published: Mapping[str, str]) -> dict[str, str]:
    """The papers or notices that the acts of these processes name, by digest."""
    nodes = (n for p in processes.values() for s in p.scopes.values() for n in s.nodes.values())
    return {name: published[name] for node in nodes for act, name in node.acts if act == verb}


def _register_path(name: str) -> str:
    """Registers are published under their path below ``processes/`` without the ending."""
    return f"processes/{name}.csv" if "/" in name else f"processes/registers/{name}.csv"
