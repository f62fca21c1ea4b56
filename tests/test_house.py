"""The house keeps its own rules: small rooms, short functions, a purpose in every first line, nothing left lying."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("engine", "api", "tests")
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
# One migration is one long list of columns: it is written once and never edited again.
MIGRATIONS = ROOT / "engine" / "store" / "migrations" / "versions"
LEFT_LYING = re.compile(r"\b(?:TODO|FIXME|XXX)\b")


def files() -> Iterator[Path]:
    for room in ROOMS:
        yield from (p for p in sorted((ROOT / room).rglob("*.py")) if "node_modules" not in p.parts)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", list(files()), ids=named)
def test_a_room_is_small_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE or path.parent == MIGRATIONS
    tree = ast.parse(text)
    assert not tree.body or ast.get_docstring(tree), "the first line says what the file knows"
    assert path == Path(__file__) or not LEFT_LYING.search(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and path.parent != MIGRATIONS:
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


def test_no_python_lies_in_the_designers_rooms() -> None:
    assert not [named(p) for room in ("processes", "forms") for p in (ROOT / room).rglob("*.py")]
