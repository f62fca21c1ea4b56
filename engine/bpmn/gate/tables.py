"""Decision tables: what each decision sets, and what the library would run wrong or our evaluator could not read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from engine.bpmn.decisions import POLICIES
from engine.bpmn.expressions import ExpressionError, evaluate, names, problems
from engine.bpmn.gate.sentences import expression, finding
from engine.bpmn.reader import local, read_xml
from engine.errors import Finding, Refused
from engine.model import Library

_QUESTION = re.compile(r"""\?(?=(?:[^'"]|['"][^'"]*['"])*$)""")
"""The library puts the input's value where a question mark stands outside quotes."""
_INPUT = "dmninputexpr"
MOST_PAIRS = 5_000
"""Different pairs of cells of one table that are compared."""


def decided(library: Library) -> dict[str, frozenset[str]]:
    """The variables that each decision sets, by its id."""
    found: dict[str, frozenset[str]] = {}
    for _, root in _roots(library):
        for decision in (e for e in root if local(e) == "decision"):
            outputs = (e.get("name") for e in decision.iter() if local(e) == "output")
            found[decision.get("id", "")] = frozenset(name for name in outputs if name)
    return found


def check_tables(library: Library) -> Iterator[Finding]:
    """Files that are no XML; forms, hit policies and cells that would run wrong; rules that overlap."""
    for file, content in library.under("processes/", ".dmn"):
        try:
            read_xml(content, file)
        except Refused as refused:
            yield from refused.findings
    for file, root in _roots(library):
        for decision in (e for e in root.iter() if local(e) == "decision"):
            yield from _decision(file, decision)
        for element in root.iter():
            kind = local(element)
            text = _text(element) if kind in ("inputEntry", "outputEntry", "inputExpression") else ""
            if text:
                yield from _cell(file, element.get("id") or "", kind, text)


def _roots(library: Library) -> Iterator[tuple[str, Any]]:
    for file, content in library.under("processes/", ".dmn"):
        try:
            yield file, read_xml(content, file)
        except Refused:
            continue  # reported by ``check_tables``


def _decision(file: str, decision: Any) -> Iterator[Finding]:
    kinds = {local(child) for child in decision}
    ident = decision.get("id") or ""
    if "decisionTable" not in kinds or "informationRequirement" in kinds:
        yield finding(file, ident, "decision_form")
    for table in (child for child in decision if local(child) == "decisionTable"):
        policy = table.get("hitPolicy", "UNIQUE")
        if policy not in POLICIES or table.get("aggregation"):
            yield finding(file, table.get("id") or ident, "hit_policy", policy)
        if policy == "UNIQUE":
            yield from _overlaps(file, table)


def _cell(file: str, ident: str, kind: str, text: str) -> Iterator[Finding]:
    found = problems(_asked(text), "eval", ())
    if found and kind == "inputEntry" and not problems(f"v {text}", "eval", ()):
        return  # half a comparison, as ``> 3``: the input stands before it
    yield from (expression(file, ident, error) for error in found)
    if not found and kind == "inputEntry":
        tree = ast.parse(_asked(text).strip(), mode="eval").body
        if isinstance(tree, ast.Tuple) or (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)):
            yield finding(file, ident, "cell_form", text[:40])  # FEEL's lists and not(…) parse here, and never match


def _overlaps(file: str, table: Any) -> Iterator[Finding]:
    """Two rules of a UNIQUE table that the same input may match. Beyond ``MOST_PAIRS`` the machine finds it instead."""
    rules = [child for child in table if local(child) == "rule"]
    cells = [[_text(entry) for entry in rule if local(entry) == "inputEntry"] for rule in rules]
    known: dict[tuple[str, str], bool] = {}
    for one, two in combinations(range(len(rules)), 2):
        pairs = list(zip(cells[one], cells[two], strict=False))
        if len(known) > MOST_PAIRS:
            return
        for pair in pairs:
            if pair not in known:
                known[pair] = _both(*pair)
            if not known[pair]:
                break
        if pairs and all(known.get(pair) for pair in pairs):
            yield finding(file, rules[two].get("id") or "", "overlap", rules[one].get("id") or "")


def _both(one: str, two: str) -> bool:
    """Is there a value that both cells match? Tried with the values they name and those beside; False if unsure."""
    if not one or not two:
        return True
    values = set[Any]()
    for text in (one, two):
        for value in _constants(text):
            values.add(value)
            if type(value) in (int, float):
                values |= {value - 1, value + 1, value - 0.5, value + 0.5}
    return any(_matches(one, value) and _matches(two, value) for value in values)


def _constants(text: str) -> Iterator[Any]:
    for form in (_asked(text), f"v {text}"):
        try:
            tree = ast.parse(form.strip(), mode="eval")
        except SyntaxError:
            continue
        yield from (each.value for each in ast.walk(tree) if isinstance(each, ast.Constant))
        return


def _matches(text: str, value: Any) -> bool:
    """Does the cell match, as the library asks it? False where it asks for more than the input."""
    asked = _asked(text)
    whole = not problems(asked, "eval", ())
    form = asked if whole else f"{_INPUT} {text}"
    try:
        if names(form) - {_INPUT}:
            return False
        found = evaluate(form, {_INPUT: value})
    except ExpressionError:
        return False
    return bool(found) if _INPUT in form else bool(found == value)


def _asked(text: str) -> str:
    return _QUESTION.sub(_INPUT, text)


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()
