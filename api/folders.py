"""Knows where the designers' rooms lie on disk, and how a designer's draft is laid over them for a check."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.model import Library

KINDS = frozenset({".bpmn", ".dmn", ".csv", ".json", ".html", ".txt"})


def home(start: Path) -> Path:
    """The folder that holds the designers' rooms: ``start`` or else where this software lies."""
    return start if (start / "processes").is_dir() else Path(__file__).parent.parent


def with_drafts(library: Library, root: Path, paths: Iterable[Path]) -> tuple[Library, tuple[str, ...]]:
    """The library with files from elsewhere laid over it, and the names (or prefixes) that ``paths`` mean in it.

    A file that lies outside the rooms takes the place of the one of its name, or else joins them.

    Raises:
        FileNotFoundError: a path that does not exist.
    """
    files, asked = dict(library.files), []
    for path in paths:
        whole = path.resolve(strict=True)
        if whole == root.resolve():
            asked.append("")
        elif whole.is_relative_to(root.resolve()):
            asked.append(whole.relative_to(root.resolve()).as_posix())
        else:
            for file in sorted(whole.rglob("*")) if whole.is_dir() else [whole]:
                if file.is_file() and file.suffix in KINDS:
                    asked.append(_place(files, file))
                    files[asked[-1]] = file.read_bytes()
    return Library(files), tuple(asked)


def _place(files: Iterable[str], file: Path) -> str:
    room = "processes" if file.suffix in {".bpmn", ".dmn", ".csv"} else "forms"
    return next((name for name in files if Path(name).name == file.name), f"{room}/{file.name}")
