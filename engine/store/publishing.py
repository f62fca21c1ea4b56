"""What is published: artefacts by digest, numbered publications of the whole library, releases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from engine.errors import NotFound
from engine.model import Release
from engine.store import rows
from engine.store import tables as t
from engine.store.history import GENESIS
from engine.store.reading import Reading
from engine.store.records import Publication
from engine.store.streams import Streams
from engine.store.vault import plain_text

_number = sa.select(sa.func.max(t.publication.c.number))
_latest = sa.select(t.publication).order_by(t.publication.c.number.desc()).limit(1)
_artefact = sa.select(t.artefact.c.content).where(t.artefact.c.digest == sa.bindparam("digest"))
_release = sa.select(t.release).where(t.release.c.digest == sa.bindparam("digest"))
_versions = sa.select(t.version.c.kind, t.version.c.name, sa.func.max(t.version.c.version).label("last")).group_by(
    t.version.c.kind, t.version.c.name
)
_PARTS = ("root", "processes", "forms", "decisions", "papers", "notices", "registers", "semantics")
_LOCK = "publication:"
#: The stream that tells of publications.
STREAM = "definition:"


class Publishing(Streams):
    """Writing what the designers made."""

    def put_artefact(self, kind: str, name: str, content: bytes) -> str:
        """Keep bytes under their SHA-256 (hex), once."""
        digest = hashlib.sha256(content).hexdigest()
        row = {"digest": digest, "kind": kind, "name": name, "content": content, "created_at": self.now()}
        self.execute(self._insert_or_leave(t.artefact), row)
        return digest

    def publish(self, entries: Mapping[str, Mapping[str, str]], by: UUID | None) -> Publication:
        """Make the whole library (kind → name → digest) the publication in force.

        Equal to the last one, nothing is written and ``changed`` is empty. One publishes at a time.
        """
        # Locking one row makes publishers queue; the row itself is never changed.
        self.execute(self._insert_or_leave(t.stream_head), {"stream": _LOCK, "events": 0, "head": GENESIS})
        self.execute(sa.select(t.stream_head.c.stream).where(t.stream_head.c.stream == _LOCK).with_for_update())
        before = read_publication(self)
        old = before.entries if before else {}
        changed = [
            (kind, name)
            for kind in sorted({*entries, *old})
            for name in sorted({*entries.get(kind, {}), *old.get(kind, {})})
            if entries.get(kind, {}).get(name) != old.get(kind, {}).get(name)
        ]
        if before is not None and not changed:
            return before
        made = Publication(
            number=before.number + 1 if before else 1,
            entries={kind: dict(names) for kind, names in entries.items()},
            published_at=self.now(),
            changed=tuple(f"{kind}:{name}" for kind, name in changed),
        )
        self._insert_publication(made, by)
        self.publication_seen = (made.number,)
        self.publishes = True
        self._insert_versions(made, [(k, n) for k, n in changed if n in entries.get(k, {})])
        return made

    def _insert_publication(self, made: Publication, by: UUID | None) -> None:
        row = {
            "number": made.number,
            "manifest": plain_text(made.entries),
            "changed": plain_text(list(made.changed)),
            "published_by": by,
            "published_at": made.published_at,
        }
        self.execute(t.publication.insert(), row)
        self.tell(STREAM, "n", rows.numbered(made.number), rows.of(row, *rows.PUBLICATION))

    def _insert_versions(self, made: Publication, changed: list[tuple[str, str]]) -> None:
        last = {(row.kind, row.name): row.last for row in self.execute(_versions)}
        added: list[dict[str, Any]] = [
            {
                "kind": kind,
                "name": name,
                "version": last.get((kind, name), 0) + 1,
                "digest": made.entries[kind][name],
                "publication": made.number,
                "published_at": made.published_at,
            }
            for kind, name in changed
        ]
        for row in added:
            number = rows.version_id(row["kind"], row["name"], row["version"])
            self.tell(STREAM, "v", number, rows.of(row, *rows.VERSION))
        if added:
            self.execute(t.version.insert(), added)

    def put_release(self, release: Release) -> None:
        """Keep a release under its digest, once; further calls on this server cost nothing."""
        if release.digest in self.releases:
            return
        parts = {name: getattr(release, name) for name in _PARTS}
        parts = {name: dict(part) if isinstance(part, Mapping) else part for name, part in parts.items()}
        row = {"digest": release.digest, "root": release.root, "manifest": plain_text(parts), "created_at": self.now()}
        self.execute(self._insert_or_leave(t.release), row)
        self._after_commit.append(lambda: self.releases.update({release.digest: release}))

    releases: dict[str, Release]
    #: A publication was made here, so what this transaction sees is not yet what others see.
    publishes = False


def latest_number(reading: Reading) -> int | None:
    """The number of the publication in force, asked for once in a transaction."""
    if reading.publication_seen is None:
        reading.publication_seen = (reading.execute(_number).scalar(),)
    return reading.publication_seen[0]


def read_publication(reading: Reading) -> Publication | None:
    """The publication in force, with ``changed`` empty; None before the first."""
    row = reading.execute(_latest).one_or_none()
    if row is None:
        return None
    return Publication(number=row.number, entries=json.loads(row.manifest), published_at=row.published_at)


def read_artefact(reading: Reading, digest: str) -> bytes:
    """The bytes of a digest. Raises NotFound."""
    content = reading.execute(_artefact, {"digest": digest}).scalar()
    if content is None:
        raise NotFound(digest=digest)
    return bytes(content)


def read_release(reading: Reading, digest: str) -> Release:
    """The release of a digest. Raises NotFound."""
    row = reading.execute(_release, {"digest": digest}).one_or_none()
    if row is None:
        raise NotFound(digest=digest)
    return Release(digest=digest, **json.loads(row.manifest))
