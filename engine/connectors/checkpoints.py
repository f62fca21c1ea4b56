"""Where checkpoints are copied to, outside the database: a folder; a remote place comes behind the same Protocol."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from engine.connectors.sms import Undeliverable

PATTERN = "checkpoint-*.jsonl"


class CheckpointPlace(Protocol):
    """Whoever keeps copies. The same copy may come twice; a copy that is there is never replaced by another."""

    def put(self, number: int, content: bytes) -> None:
        """Keep a copy for good. Raises Undeliverable."""

    def copies(self) -> Iterator[tuple[str, bytes]]:
        """Every copy that is there: its name and content, in order."""


class Folder:
    """One file for each checkpoint, on the disk before it counts as kept, and never written over.

    Let it lie on another machine or a medium that is written once: what can be taken back proves nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, number: int, content: bytes) -> None:
        try:
            self._put(self._path / f"checkpoint-{number:08d}.jsonl", content)
        except OSError as error:
            raise Undeliverable(f"folder_{error.errno}") from error

    def _put(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(mine, path)  # fails where one is there: nothing is ever replaced
        except FileExistsError:
            if path.read_bytes() != content:
                raise Undeliverable("another_is_there") from None
        finally:
            mine.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def copies(self) -> Iterator[tuple[str, bytes]]:
        for path in sorted(self._path.glob(PATTERN)):
            yield path.name, path.read_bytes()
