"""Opening a package that may come from anybody: nothing is believed before its digest, nothing grows beyond a bound."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from engine.commands.packages import FORMAT, MANIFEST, SIGNATURE, VERSION
from engine.commands.signing import Signing
from engine.errors import NotFound
from engine.model import Release
from engine.store import CaseHead, Keys, StoredEvent, packed
from engine.store.packed import Continuing, damaged

MOST_MEMBERS = 200_000
MANIFEST_BYTES = 64_000_000
ARTEFACT_BYTES = 64_000_000
LINE_BYTES = 16_000_000
# Events repeat each other and pack well; what packs better than this is no history. Small packages may be odd.
PACKED_AT_MOST = 400
FREE_BYTES = 16_000_000
_PIECE = 256 * 1024
_NAME = re.compile(r"cases/\d{6,9}\.jsonl|releases/[0-9a-f]{64}\.json|artefacts/[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """Who vouches for the package. ``good`` None: by a key that is not known here, so nobody can say."""

    algorithm: str
    key: str
    good: bool | None


class Package:
    """An opened package: a source of artefacts and releases, and its cases one after the other.

    Once opened, every digest has been checked and ``signature`` judged; the chains are checked while cases are read.
    """

    def __init__(self, file: IO[bytes], *, signing: Signing | None = None, keys: Keys | None = None) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
            raise damaged("", "不是案卷包文件", "no package: not a zip file") from error
        self._keys = keys
        self._members = _members(self._zip, _size_of(file))
        content = self._small(MANIFEST, MANIFEST_BYTES)
        self.manifest = _manifest(content)
        self.digest = hashlib.sha256(content).hexdigest()
        self.signature = _signature(content, self._small(SIGNATURE, 10_000), signing)
        self._check_members()

    @property
    def counts(self) -> Mapping[str, int]:
        """What the manifest counts: cases, events, erased (cases), releases, artefacts."""
        counts: Mapping[str, int] = self.manifest["counts"]
        return counts

    # -- published content
    def artefact(self, digest: str) -> bytes:
        """The bytes of a SHA-256 (hex). Raises NotFound: the package lacks it."""
        return self._named(f"artefacts/{digest}")

    def release(self, digest: str) -> Release:
        """The release of a digest. Raises NotFound, Invalid."""
        name = f"releases/{digest}.json"
        content = self._named(name)
        try:
            return Release(digest=digest, **json.loads(content))
        except (ValueError, TypeError, RecursionError) as error:
            raise damaged(name, "无法读取的发布版本", "a release that cannot be read") from error

    def _named(self, name: str) -> bytes:
        if name not in self._members:
            raise NotFound(member=name)
        return self._small(name, ARTEFACT_BYTES)

    # -- cases
    def cases(self) -> Iterator[tuple[CaseHead, Iterator[StoredEvent]]]:
        """Every case with its events, to be read before the next case is asked for.

        Raises:
            Invalid: a line that cannot be read, or an event that does not continue its chain.
        """
        for name in sorted(name for name in self._members if name.startswith("cases/")):
            with self._open(name) as member:
                yield from _Part(name, member, self._keys).cases()

    # -- members
    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        try:
            with self._zip.open(self._members[name]) as member:
                yield member
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise damaged(name, "文件已损坏", "a member that cannot be unpacked") from error

    def _small(self, name: str, most: int) -> bytes:
        if name not in self._members:
            raise damaged(name, "缺少文件", "a member is missing")
        with self._open(name) as member:
            content = member.read(most + 1)
        if len(content) > most:
            raise damaged(name, "文件过大", "a member that is too large")
        return content

    def _check_members(self) -> None:
        """Exactly what the manifest names is there, each of its size and digest."""
        told = {each["name"]: each for each in self.manifest["members"]}
        others = set(self._members) - {MANIFEST, SIGNATURE}
        if len(told) != len(self.manifest["members"]) or set(told) != others:
            raise damaged(MANIFEST, "清单与包内文件不符", "manifest and members disagree")
        for name, each in told.items():
            if self._digest(name, each["size"]) != each["sha256"]:
                raise damaged(name, "内容与清单不符", "content and manifest disagree")
            stem = name.partition("/")[2].partition(".")[0]
            if not name.startswith("cases/") and stem != each["sha256"]:
                raise damaged(name, "内容与名称不符", "content and name disagree")

    def _digest(self, name: str, size: int) -> str:
        digest, seen = hashlib.sha256(), 0
        with self._open(name) as member:
            while piece := member.read(_PIECE):
                digest.update(piece)
                seen += len(piece)
                if seen > size:
                    break
        return digest.hexdigest() if seen == size else ""


class _Part:
    """One member of cases: a head line, its events, the next head line …"""

    def __init__(self, name: str, member: IO[bytes], keys: Keys | None) -> None:
        self._name, self._member, self._keys = name, member, keys
        self._next: CaseHead | None = None

    def cases(self) -> Iterator[tuple[CaseHead, Iterator[StoredEvent]]]:
        first = self._line()
        if not isinstance(first, CaseHead):
            raise damaged(self._name, "没有案件", "does not begin with a case")
        self._next = first
        while self._next is not None:
            head, self._next = self._next, None
            events = self._events(head)
            yield head, events
            for _ in events:  # whoever gave up on the case early is none the less told of what follows
                pass

    def _events(self, head: CaseHead) -> Iterator[StoredEvent]:
        chain = Continuing(self._name, head, self._keys)
        while (line := self._line()) is not None:
            if isinstance(line, CaseHead):
                self._next = line
                break
            yield chain.read(line)
        chain.finish()

    def _line(self) -> CaseHead | dict[str, Any] | None:
        line = self._member.readline(LINE_BYTES)
        if not line:
            return None
        if not line.endswith(b"\n"):
            raise damaged(self._name, "行过长或不完整", "a line that is too long or cut off")
        return packed.read_line(self._name, line)


def read_package(file: IO[bytes], *, signing: Signing | None = None, keys: Keys | None = None) -> Package:
    """Open a package and check all its digests; with ``keys`` the chains' hashes are checked too while reading.

    Raises:
        Invalid: no package; a member is missing, doubled, of another name, size or content than the manifest says;
            a signature that is wrong; sizes that no history has.
    """
    return Package(file, signing=signing, keys=keys)


def _size_of(file: IO[bytes]) -> int:
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    return size


def _members(file: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Names to members, refusing what an honest writer never writes: paths, doubles, overlaps, bombs."""
    found = file.infolist()
    if len(found) > MOST_MEMBERS or sum(each.file_size for each in found) > FREE_BYTES + PACKED_AT_MOST * size:
        raise damaged("", "文件过多或展开后过大", "too many members, or too large once unpacked")
    names = {each.filename: each for each in found}
    if len(names) != len(found):
        raise damaged("", "文件重名", "two members of one name")
    # Members that lie over each other unpack to more than the file could ever hold.
    place = 0
    for each in sorted(found, key=lambda one: one.header_offset):
        if each.header_offset < place:
            raise damaged(each.filename[:80], "文件重叠", "members overlap")
        place = each.header_offset + each.compress_size
        odd = each.flag_bits & 1 or each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if odd or not (each.filename in (MANIFEST, SIGNATURE) or _NAME.fullmatch(each.filename)):
            raise damaged(each.filename[:80], "不应有的文件", "a member that no package holds")
    return names


def _manifest(content: bytes) -> Mapping[str, Any]:
    try:
        manifest = json.loads(content)
        known = (manifest["format"], manifest["version"]) == (FORMAT, VERSION)
        datetime.fromisoformat(manifest["made_at"])
        counted = all(type(number) is int for number in manifest["counts"].values())
        listed = all(
            type(each["name"]) is str and type(each["size"]) is int and _HEX.fullmatch(each["sha256"])
            for each in manifest["members"]
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise damaged(MANIFEST, "清单无法读取", "cannot be read") from error
    if not (known and counted and listed):
        raise damaged(MANIFEST, "不认识的案卷包版本", "of a format that is not known here")
    return manifest  # type: ignore[no-any-return]


def _signature(manifest: bytes, content: bytes, signing: Signing | None) -> Signature:
    try:
        told = json.loads(content)
        algorithm, key, signature = str(told["algorithm"]), str(told["key"]), bytes.fromhex(told["signature"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise damaged(SIGNATURE, "签名无法读取", "cannot be read") from error
    good = signing.check(algorithm, key, manifest, signature) if signing else None
    if good is False:
        raise damaged(SIGNATURE, "签名不符", "is not the manifest's")
    return Signature(algorithm=algorithm, key=key, good=good)
