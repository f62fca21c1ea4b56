"""Cases leave the house as a package: a zip of their events, of everything they were executed by, and a manifest.

Members: ``manifest.json`` (counts, and size and SHA-256 of every other member), ``signature.json`` (over the manifest),
``cases/<n>.jsonl`` (each case its head and then its events in order), ``releases/<digest>.json``,
``artefacts/<digest>``.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import IO, Any
from uuid import UUID

from engine.commands.attempt import attempt
from engine.commands.office import Office
from engine.commands.signing import ChainSigning, Signing
from engine.errors import Forbidden
from engine.model import Actor, Release
from engine.store import CaseHead, Chosen, Reading, Store, exporting, packed, plain_text
from engine.store.columns import iso

FORMAT, VERSION = "sanwei-package", 1
MANIFEST, SIGNATURE = "manifest.json", "signature.json"
PART_BYTES = 8_000_000
_PACK_LEVEL = 3


@dataclass(kw_only=True, slots=True)
class Written:
    """What went into a package. ``digest`` is the SHA-256 (hex) of its manifest."""

    cases: int = 0
    events: int = 0
    erased: int = 0
    digest: str = ""
    releases: set[str] = field(default_factory=set)
    artefacts: set[str] = field(default_factory=set)


def export_cases(
    office: Office,
    actor: Actor,
    chosen: Chosen,
    out: IO[bytes],
    *,
    on_case: Callable[[Written], None] = lambda written: None,
) -> Written:
    """Write the chosen cases as a package; taking them away is recorded in the day's stream of readings.

    Raises:
        Forbidden: neither an auditor nor at the command line; the refusal is recorded.
        NotFound: a business key of no case that the actor audits; ``out`` holds no package then.
    """
    given = {"cases": list(chosen.business_keys), "process": chosen.process_key, "since": chosen.since}
    with attempt(office, actor, "export", given):
        if actor.account is not None and not actor.scopes("auditor"):
            raise Forbidden(role="auditor")
        with office.store.reading() as reading:
            heads = exporting.chosen_cases(reading, actor, chosen)
            written = _write(office.store, reading, heads, out, what=_what(chosen), on_case=on_case)
    office.store.record_export(actor, {"cases": written.cases, "package": written.digest, **_what(chosen)})
    return written


def export_case(office: Office, actor: Actor, case_id: UUID, out: IO[bytes]) -> Written:
    """Write one case as a package; recorded like any reading of the case.

    Raises:
        NotFound: no such case, or none that the actor may see. Forbidden: only an auditor of its scope may.
    """
    with attempt(office, actor, "export", {"case": str(case_id)}), office.store.reading() as reading:
        head = audited(reading, actor, case_id)
        chosen = Chosen(business_keys=(head.business_key,))
        written = _write(office.store, reading, [head], out, what=_what(chosen))
    office.store.record_access(actor, case_id, "package")
    return written


def audited(reading: Reading, actor: Actor, case_id: UUID) -> CaseHead:
    """The head of a case the actor audits. Raises NotFound, Forbidden (may see it, but is no auditor of its scope)."""
    exporting.check_seen(reading, actor, case_id)
    head = exporting.case_head(reading, case_id)
    if not exporting.audits(actor, head.scope):
        raise Forbidden(role="auditor", scope=head.scope)
    return head


def write_package(store: Store, cases: Iterable[UUID], out: IO[bytes], *, signing: Signing | None = None) -> Written:
    """Write these cases as a package. Neither rights are checked nor is anything recorded: that is the caller's verb.

    Raises:
        NotFound: one of the cases is not there; ``out`` holds no package then.
    """
    with store.reading() as reading:
        heads = (exporting.case_head(reading, case_id) for case_id in cases)
        return _write(store, reading, heads, out, what={}, signing=signing)


def _what(chosen: Chosen) -> dict[str, Any]:
    facts = {"cases_named": list(chosen.business_keys), "process": chosen.process_key}
    return {**facts, "since": iso(chosen.since) if chosen.since else None}


def _write(
    store: Store,
    reading: Reading,
    heads: Iterable[CaseHead],
    out: IO[bytes],
    *,
    what: Mapping[str, Any],
    signing: Signing | None = None,
    on_case: Callable[[Written], None] = lambda written: None,
) -> Written:
    written = Written()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_PACK_LEVEL) as file:
        members = _Members(file)
        _cases(members, reading, heads, written, on_case)
        _published(members, store, written)
        counts = {"cases": written.cases, "events": written.events, "erased": written.erased}
        manifest = plain_text(
            {
                "format": FORMAT,
                "version": VERSION,
                "made_at": iso(reading.now()),
                "what": what,
                "counts": {**counts, "releases": len(written.releases), "artefacts": len(written.artefacts)},
                "members": members.done,
            }
        ).encode()
        written.digest = hashlib.sha256(manifest).hexdigest()
        signing = signing or ChainSigning(store.keys)
        signature = {"algorithm": signing.algorithm, "key": signing.key_id, "signature": signing.sign(manifest).hex()}
        file.writestr(_member(MANIFEST), manifest)
        file.writestr(_member(SIGNATURE), plain_text(signature))
    return written


class _Members:
    """The members written so far, each with its size and digest."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.done: list[dict[str, Any]] = []

    @contextmanager
    def writing(self, name: str) -> Iterator[Callable[[bytes], int]]:
        """Write one member piece by piece; each piece gives how many bytes there are by now."""
        digest, size = hashlib.sha256(), 0
        with self._file.open(_member(name), "w", force_zip64=True) as member:

            def put(content: bytes) -> int:
                nonlocal size
                digest.update(content)
                member.write(content)
                size += len(content)
                return size

            yield put
        self.done.append({"name": name, "size": size, "sha256": digest.hexdigest()})

    def put(self, name: str, content: bytes) -> None:
        """Write one member at once."""
        with self.writing(name) as put:
            put(content)


def _member(name: str) -> zipfile.ZipInfo:
    """A member without a date of its own: the manifest says when."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def _cases(
    members: _Members,
    reading: Reading,
    heads: Iterable[CaseHead],
    written: Written,
    on_case: Callable[[Written], None],
) -> None:
    """Case after case, in parts that end where a case ends."""
    waiting = iter(heads)
    head = next(waiting, None)
    part = 0
    while head is not None:
        part += 1
        size = 0
        with members.writing(f"cases/{part:06d}.jsonl") as put:
            while head is not None and size < PART_BYTES:
                size = _one_case(put, reading, head, written)
                on_case(written)
                head = next(waiting, None)


def _one_case(put: Callable[[bytes], int], reading: Reading, head: CaseHead, written: Written) -> int:
    size = put(packed.head_line(head))
    written.releases.add(head.release)
    for event in exporting.case_events(reading, head.id):
        size = put(packed.event_line(event))
        written.events += 1
        if event.columns["release"]:
            written.releases.add(event.columns["release"].hex())
        if event.columns["input"] and event.columns["detail"]:
            written.artefacts |= _calendars(json.loads(event.columns["detail"]))
    written.cases += 1
    written.erased += head.erased
    return size


def _calendars(detail: Mapping[str, Any]) -> set[str]:
    return {detail["calendar"]} if "calendar" in detail else set()


def _published(members: _Members, store: Store, written: Written) -> None:
    """The releases the cases name, and all that these and the cases' calendars name."""
    for digest in sorted(written.releases):
        release = store.release(digest)
        written.artefacts |= parts_of(release)
        members.put(f"releases/{digest}.json", plain_text(release_to_plain(release)).encode())
    for digest in sorted(written.artefacts):
        members.put(f"artefacts/{digest}", store.artefact(digest))


def parts_of(release: Release) -> set[str]:
    """The digests of everything a release names."""
    named = (release.processes, release.forms, release.decisions, release.papers, release.notices, release.registers)
    return {digest for part in named for digest in part.values()}


def release_to_plain(release: Release) -> dict[str, Any]:
    """Plain JSON of a release, its digest left out: that is of this very text."""
    return {n: dict(v) if isinstance(v, Mapping) else v for n, v in asdict(release).items() if n != "digest"}
