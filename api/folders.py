"""Knows where the designers' rooms lie on disk, and how a designer's draft is laid over them for a check."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.errors import Finding, Invalid
from engine.model import Library

ROOMS = ("processes/", "forms/")
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


def places(known: Iterable[str], folder: str, names: Iterable[str]) -> list[str]:
    """The paths in the rooms of files that are handed in by their bare names.

    A name that is a path of the rooms stays; else it goes into ``folder``, or takes the place of the only file of its
    name, or joins its room.

    Raises: Invalid (no file; a path outside the rooms; several files of that name and no folder).
    """
    files, found, findings = tuple(known), list[str](), list[Finding]()
    for name in names:
        path = name.replace("\\", "/")
        if not path.startswith(ROOMS):
            same = [each for each in files if Path(each).name == Path(path).name] if not folder else []
            if len(same) > 1:
                zh, en = "有多个同名文件，请填写文件夹", "Several files have this name: give the folder"
                findings.append(Finding(where=path, rule="path", zh=zh, en=en))
            path = f"{folder.strip('/')}/{path}" if folder else same[0] if same else _place((), Path(path))
        if not path.startswith(ROOMS) or ".." in path.split("/"):
            zh, en = "须在 processes/ 或 forms/ 之下", "It must lie below processes/ or forms/"
            findings.append(Finding(where=name, rule="path", zh=zh, en=en))
        found.append(path)
    if not found:
        findings.append(Finding(where="files", rule="required", zh="没有文件", en="There is no file"))
    if findings:
        raise Invalid(findings)
    return found
