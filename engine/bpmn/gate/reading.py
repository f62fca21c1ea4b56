"""What an expression or script of a diagram reads and sets, each text looked at once: items repeat the same ones."""

from __future__ import annotations

import ast
from functools import lru_cache

from engine.bpmn import expressions
from engine.bpmn.expressions import ExpressionError
from engine.bpmn.expressions.syntax import Mode

KEPT = 20_000
"""Texts remembered."""


@lru_cache(maxsize=KEPT)
def problems(text: str, mode: Mode) -> tuple[ExpressionError, ...]:
    """All that keeps a text from being an expression or a script."""
    return tuple(expressions.problems(text, mode, ()))


@lru_cache(maxsize=KEPT)
def names(text: str) -> frozenset[str]:
    """The variables it reads before it has set them itself. Raises: ExpressionError."""
    return frozenset(expressions.names(text))


@lru_cache(maxsize=KEPT)
def assigned(text: str) -> frozenset[str]:
    """The variables a script sets; none where it is no script."""
    try:
        return frozenset(expressions.assigned(text))
    except ExpressionError:
        return frozenset()


@lru_cache(maxsize=KEPT)
def item_keys(text: str, mode: Mode) -> tuple[str, ...]:
    """Keys that it reads of the variable ``item``; none where it does not parse."""
    if problems(text, mode):
        return ()
    found = []
    for each in ast.walk(ast.parse(text.strip(), mode=mode)):
        if isinstance(each, ast.Subscript) and isinstance(each.value, ast.Name) and each.value.id == "item":
            key = each.slice.value if isinstance(each.slice, ast.Constant) else None
            found += [key] if isinstance(key, str) else []
    return tuple(sorted(set(found)))
