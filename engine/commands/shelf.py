"""Everything published, compiled once per digest and shared by all threads, wherever the bytes are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Protocol, TypeVar

from engine import bpmn, forms
from engine.bpmn import Definition, Process
from engine.calendar import Calendar, read_calendar
from engine.model import Library, Release
from engine.registers import Registers, read_registers

T = TypeVar("T")

# What a signer fills in: published beside the forms of the processes, part of every release.
SIGNING_FORM = "signing/opinion.json"


class Source(Protocol):
    """Where published bytes and releases are read from: the store, or a package."""

    def artefact(self, digest: str) -> bytes:
        """The bytes of a SHA-256 (hex). Raises NotFound."""

    def release(self, digest: str) -> Release:
        """The release of a digest. Raises NotFound."""


class InForce(Protocol):
    """What a command follows besides the case's own release."""

    @property
    def state_format(self) -> int:
        """The newest way in which states may be written."""

    def kept_registers(self, release: Release) -> Registers:
        """The registers as they were when the case's release was resolved."""

    def current_calendar(self) -> Calendar:
        """The calendar in force when the command runs (or ran)."""


class Shelf:
    """The compiled publications of one source. Safe to share between threads."""

    def __init__(self, source: Source) -> None:
        self._source = source
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
        tables = {name: self._source.artefact(each) for name, each in decisions.items()}
        return bpmn.compile_process(self._source.artefact(digest), decisions=tables)

    def definition(self, release: Release) -> Definition:
        """The linked definition a release names."""
        return self._once("definition", release.digest, lambda: self._link(release))

    def _link(self, release: Release) -> Definition:
        processes = {key: self.process(digest, release.decisions) for key, digest in release.processes.items()}
        return bpmn.link(release.root, processes)

    def release_of(self, digest: str) -> tuple[Release, Definition]:
        """The release a running case names, and its definition. Raises NotFound."""
        release = self._source.release(digest)
        return release, self.definition(release)

    def form(self, digest: str) -> forms.Form:
        """The form of a digest. Raises NotFound."""
        return self._once("form", digest, lambda: forms.read_form(self._source.artefact(digest)))

    def calendar(self, version: str) -> Calendar:
        """The calendar of a version: the SHA-256 of its table. Raises NotFound."""
        return self._once("calendar", version, lambda: read_calendar(self._source.artefact(version)))

    def kept_registers(self, release: Release) -> Registers:
        """The registers as they were when the case's release was resolved."""
        key = tuple(sorted(release.registers.items()))
        return self._once("kept", key, lambda: self._registers(dict(release.registers)))

    def _registers(self, entries: Mapping[str, str]) -> Registers:
        return read_registers(Library({_register_path(n): self._source.artefact(d) for n, d in entries.items()}))


def _register_path(name: str) -> str:
    """Registers are published under their path below ``processes/`` without the ending."""
    return f"processes/{name}.csv" if "/" in name else f"processes/registers/{name}.csv"
