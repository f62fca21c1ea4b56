"""What the verbs work with: the store, and everything published, read once per digest and shared by all threads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta

from engine import bpmn
from engine.bpmn import Process
from engine.bpmn.messages import Known, known_from
from engine.calendar import Calendar
from engine.commands.shelf import SIGNING_FORM, Shelf
from engine.errors import NotFound
from engine.model import Release
from engine.registers import Registers
from engine.store import Publication, Store

# The scope above all others: what concerns everybody (the library, the clock) is done from here only.
DISTRICT = "liwan"
# What a release names besides processes and forms: the tables and templates a running case may still need.
KEPT_REGISTERS = ("deadline_kinds", "departments", "papers", "notices")
# How long a message waits for who will wait for it, where neither sender nor diagram says.
MESSAGES_KEPT = timedelta(days=30)


class Office(Shelf):
    """The store and the compiled publications. One per process; safe to share between threads.

    ``state_format`` is the newest way in which states may be written: that of the oldest server still running.
    """

    def __init__(
        self, store: Store, *, state_format: int = bpmn.FORMAT, messages_kept: timedelta = MESSAGES_KEPT
    ) -> None:
        super().__init__(store)
        self.store = store
        self.state_format = state_format
        self.messages_kept = messages_kept

    def message(self, name: str) -> Known | None:
        """What the publication in force says of a message, None where no diagram names it."""
        digest = self.published().entries.get("message", {}).get(name)
        if digest is None:
            return None
        return self._once("message", digest, lambda: known_from(self.store.artefact(digest)))

    def current_calendar(self) -> Calendar:
        """The calendar in force: running cases follow it too, their deadlines are recomputed when it changes."""
        return self.calendar(self.published().entries["register"]["calendar"])

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
            "forms": {path: published["form"][path] for path in _forms(reached, published.get("form", {}))},
            "decisions": decisions,
            "papers": _named(reached, "papers", published.get("paper", {})),
            "notices": _named(reached, "notices", published.get("notice", {})),
            "registers": {n: published["register"][n] for n in KEPT_REGISTERS if n in published["register"]},
            "semantics": bpmn.NEWEST_WITH[self.state_format],
        }
        manifest = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return Release(digest=hashlib.sha256(manifest.encode()).hexdigest(), **parts)  # type: ignore[arg-type]


def _forms(processes: Mapping[str, Process], published: Mapping[str, str]) -> list[str]:
    """The forms that these processes name, and the one of signatures, which anybody may be asked for on the way."""
    named = [path for process in processes.values() for path in process.forms]
    return [*named, SIGNING_FORM] if SIGNING_FORM in published else named


def _named(processes: Mapping[str, Process], verb: str, published: Mapping[str, str]) -> dict[str, str]:
    """The papers or notices that the acts of these processes name, by digest."""
    nodes = (n for p in processes.values() for s in p.scopes.values() for n in s.nodes.values())
    return {name: published[name] for node in nodes for act, name in node.acts if act == verb}
