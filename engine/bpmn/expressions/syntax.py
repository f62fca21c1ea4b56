"""The closed list of what an expression or script may be written with, and which names it reads and sets."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Collection, Iterator
from typing import Literal

from engine.bpmn.expressions.values import FUNCTIONS, INT_BITS, TEXT_LENGTH, ExpressionError, Position

Mode = Literal["eval", "exec"]

SOURCE_LENGTH = 8_000
NODES = 2_000
DEPTH = 40

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot)
_ALLOWED = (
    *(ast.Expression, ast.Module, ast.Constant, ast.Name, ast.Load, ast.Store),
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, *_OPERATORS),
    *(ast.Compare, *_COMPARISONS, ast.IfExp, ast.Call, ast.Subscript, ast.Slice),
    *(ast.List, ast.Tuple, ast.Dict, ast.JoinedStr, ast.FormattedValue, ast.ListComp, ast.comprehension, ast.Assign),
)
_REFUSED = {
    ast.Attribute: "attribute",
    ast.Lambda: "lambda",
    ast.GeneratorExp: "generator",
    ast.SetComp: "generator",
    ast.DictComp: "generator",
    ast.NamedExpr: "walrus",
    ast.Starred: "star",
    ast.AugAssign: "augmented_assignment",
    ast.Expr: "not_an_assignment",
}


def position(node: ast.AST) -> Position:
    """Line and column of ``node``, from 1; (0, 0) for nodes that have no place of their own."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", -1) + 1


def parsed(text: str, mode: Mode) -> ast.Expression | ast.Module:
    """The checked tree of an expression or a script. Raises: ExpressionError, the first of its problems."""
    found = problems(text, mode)
    if found:
        raise found[0]
    return _tree(text, mode)


def problems(text: str, mode: Mode = "eval", functions: Collection[str] | None = None) -> list[ExpressionError]:
    """All that keeps ``text`` from being an expression ("eval") or a script ("exec"), in reading order.

    ``functions`` names what may be called besides the pure functions; None leaves that to the evaluation.
    """
    if len(text) > SOURCE_LENGTH:
        return [ExpressionError("too_long")]
    try:
        tree = _tree(text, mode)
    except ExpressionError as error:
        return [error]
    if sum(1 for _ in ast.walk(tree)) > NODES:
        return [ExpressionError("too_long")]
    found = list(_problems(tree, 0, functions))
    return sorted(found, key=lambda error: error.position)


def check_expression(text: str, functions: Collection[str] = ()) -> list[str]:
    """What is wrong with an expression, each as ``code at line:column``; empty when it may be published."""
    return [str(error) for error in problems(text, "eval", functions)]


def check_script(text: str, functions: Collection[str] = ()) -> list[str]:
    """What is wrong with a script, each as ``code at line:column``; empty when it may be published."""
    return [str(error) for error in problems(text, "exec", functions)]


def names(text: str) -> set[str]:
    """The variables that an expression or script reads before it has set them itself.

    Raises: ExpressionError where it is neither.
    """
    tree = _either(text)
    if isinstance(tree, ast.Expression):
        return set(_read(tree.body, frozenset()))
    found: set[str] = set()
    own: set[str] = set()
    for line in tree.body:
        assert isinstance(line, ast.Assign)  # noqa: S101 - `parsed` lets nothing else through
        found |= set(_read(line.value, frozenset())) - own
        target = line.targets[0]
        if isinstance(target, ast.Name):
            own.add(target.id)
        else:
            found |= set(_read(target, frozenset())) - own
    return found


def assigned(text: str) -> set[str]:
    """The variables a script sets or changes; none for an expression. Raises: ExpressionError where it is neither."""
    tree = _either(text)
    if isinstance(tree, ast.Expression):
        return set()
    return {root(line.targets[0]) for line in tree.body if isinstance(line, ast.Assign)}


def root(target: ast.expr) -> str:
    """The variable that a checked target (``a``, ``a['k']``, ``a['k'][0]``) belongs to."""
    while isinstance(target, ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _either(text: str) -> ast.Expression | ast.Module:
    try:
        return parsed(text, "eval")
    except ExpressionError:
        return parsed(text, "exec")


def _tree(text: str, mode: Mode) -> ast.Expression | ast.Module:
    source = text.strip() if mode == "eval" else textwrap.dedent(text).strip()
    try:
        tree = ast.parse(source, mode=mode)
    except SyntaxError as error:
        raise ExpressionError("syntax", (error.lineno or 0, error.offset or 0)) from None
    except (ValueError, RecursionError, MemoryError):
        # a NUL byte, a number of thousands of digits, brackets in brackets
        raise ExpressionError("syntax") from None
    assert isinstance(tree, ast.Expression | ast.Module)  # noqa: S101 - what these two modes give
    return tree


def _problems(node: ast.AST, depth: int, functions: Collection[str] | None) -> Iterator[ExpressionError]:
    if depth > DEPTH:
        yield ExpressionError("too_deep", position(node))
        return
    if not isinstance(node, _ALLOWED):
        yield ExpressionError(_REFUSED.get(type(node), "not_allowed"), position(node))
        return
    code = _problem(node, functions)
    if code:
        yield ExpressionError(code, position(node))
        return
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Call) and child is node.func):
            yield from _problems(child, depth + 1, functions)


def _problem(node: ast.AST, functions: Collection[str] | None) -> str | None:
    match node:
        case ast.Constant():
            return _constant(node)
        case ast.Name() if node.id.startswith("__"):
            return "name"
        case ast.Call():
            return _call(node, functions)
        case ast.Compare():
            return _identity(node)
        case ast.Assign():
            return _target(node)
        case ast.Module() if not node.body:
            return "empty"
    return _variant(node)


def _variant(node: ast.AST) -> str | None:
    match node:
        case ast.FormattedValue() if node.format_spec is not None or node.conversion != -1:
            return "format"
        case ast.Slice() if node.step is not None:
            return "slice_step"
        case ast.Dict() if any(key is None for key in node.keys):
            return "star"
        case ast.comprehension() if node.is_async or not isinstance(node.target, ast.Name):
            return "loop_target"
    return None


def _constant(node: ast.Constant) -> str | None:
    if node.value is not None and type(node.value) not in (bool, int, float, str):
        return "constant"
    if isinstance(node.value, int) and node.value.bit_length() > INT_BITS:
        return "too_large"
    if isinstance(node.value, float) and node.value in (float("inf"), float("-inf")):
        return "too_large"
    return "too_large" if isinstance(node.value, str) and len(node.value) > TEXT_LENGTH else None


def _call(node: ast.Call, functions: Collection[str] | None) -> str | None:
    if isinstance(node.func, ast.Attribute):
        return "attribute"
    if not isinstance(node.func, ast.Name) or node.func.id.startswith("__"):
        return "call"
    if node.keywords:
        return "keyword"
    known = functions is None or node.func.id in functions or node.func.id in FUNCTIONS
    return None if known else "unknown_function"


def _identity(node: ast.Compare) -> str | None:
    # `is` between values would show how Python stores them; against None it is how people write "missing"
    for operator, right in zip(node.ops, node.comparators, strict=True):
        constant = isinstance(right, ast.Constant) and (right.value is None or isinstance(right.value, bool))
        if isinstance(operator, ast.Is | ast.IsNot) and not constant:
            return "identity"
    return None


def _target(node: ast.Assign) -> str | None:
    target: ast.expr = node.targets[0]
    if len(node.targets) != 1:
        return "target"
    while isinstance(target, ast.Subscript):
        if isinstance(target.slice, ast.Slice):
            return "target"
        target = target.value
    if not isinstance(target, ast.Name):
        return "target"
    return "shadows_function" if target.id in FUNCTIONS else None


def _read(node: ast.AST, bound: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if node.id not in bound:
            yield node.id
    elif isinstance(node, ast.ListComp):
        for loop in node.generators:
            yield from _read(loop.iter, bound)
            bound |= {root(loop.target)}
            for condition in loop.ifs:
                yield from _read(condition, bound)
        yield from _read(node.elt, bound)
    else:
        skipped = node.func if isinstance(node, ast.Call) else None
        for child in ast.iter_child_nodes(node):
            if child is not skipped:
                yield from _read(child, bound)
