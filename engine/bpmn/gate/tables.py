"""Decision tables: what each decision sets, and cells that our evaluator could not read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from engine.bpmn.expressions import problems
from engine.bpmn.gate.sentences import expression, finding
from engine.bpmn.reader import local, read_xml
from engine.errors import Finding, Refused
from engine.model import Library

_QUESTION = re.compile(r"""\?(?=(?:[^'"]|['"][^'"]*['"])*$)""")
"""The library puts the input's value where a question mark stands outside quotes."""


def decided(library: Library) -> dict[str, frozenset[str]]:
    """The variables that each decision sets, by its id."""
    found: dict[str, frozenset[str]] = {}
    for _, root in _roots(library):
        for decision in (e for e in root if local(e) == "decision"):
            outputs = (e.get("name") for e in decision.iter() if local(e) == "output")
            found[decision.get("id", "")] = frozenset(name for name in outputs if name)
    return found


def check_tables(library: Library) -> Iterator[Finding]:
    """Cells and input expressions that would fail when the table is asked; files that are no XML."""
    for file, content in library.under("processes/", ".dmn"):
        try:
            read_xml(content, file)
        except Refused as refused:
            yield from refused.findings
    for file, root in _roots(library):
        for element in root.iter():
            kind = local(element)
            text = (
                "".join(element.itertext()).strip() if kind in ("inputEntry", "outputEntry", "inputExpression") else ""
            )
            if text:
                yield from _cell(file, element.get("id") or "", kind, text)


def _roots(library: Library) -> Iterator[tuple[str, Any]]:
    for file, content in library.under("processes/", ".dmn"):
        try:
            yield file, read_xml(content, file)
        except Refused:
            continue  # reported by ``check_tables``


def _cell(file: str, ident: str, kind: str, text: str) -> Iterator[Finding]:
    asked = _QUESTION.sub("dmninputexpr", text)
    found = problems(asked, "eval", ())
    if kind == "inputEntry" and not found and not _answerable(asked):
        yield finding(file, ident, "cell_form", text[:40])
        return
    if found and kind == "inputEntry" and not problems(f"v {text}", "eval", ()):
        return  # half a comparison, as ``> 3``: the input stands before it
    yield from (expression(file, ident, error) for error in found)


def _answerable(text: str) -> bool:
    """FEEL's lists and negations (``1,5``, ``not(3)``) are other things in Python's syntax and would never match."""
    tree = ast.parse(text.strip(), mode="eval").body
    return not isinstance(tree, ast.Tuple) and not (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not))
