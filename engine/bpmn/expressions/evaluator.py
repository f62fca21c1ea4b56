"""Turns a checked tree into closures once, and runs them over copies of variables with every loop and size paid for."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from engine.bpmn.expressions.operations import ARITHMETIC, COMPARE, NUMBERS
from engine.bpmn.expressions.syntax import parsed, position, root
from engine.bpmn.expressions.values import (
    FUNCTIONS,
    HOLDERS,
    PLAIN,
    SCALARS,
    ExpressionError,
    Meter,
    Position,
    bounded,
    copied,
    text_of,
    weigh,
)

BUDGET = 100_000
"""Steps of one evaluation: a few tens of milliseconds at worst, a hundred times what any diagram of ours needs."""

_NOTHING: Mapping[str, Any] = {}


class Frame:
    """What one evaluation sees: variables, names bound by loops, functions, and the meter."""

    __slots__ = ("functions", "local", "meter", "variables")

    def __init__(self, variables: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], budget: int) -> None:
        self.variables = variables
        self.functions = functions
        self.local: dict[str, Any] = {}
        self.meter = Meter(budget)


Run = Callable[[Frame], Any]


def evaluate(
    text: str,
    variables: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]] = _NOTHING,
    *,
    budget: int = BUDGET,
) -> Any:
    """The value of an expression: a plain copy that shares nothing with ``variables``.

    ``functions`` may be called besides the pure ones (a timer's ``deadline``). Raises: ExpressionError.
    """
    frame = Frame(variables, functions, budget)
    value = _expression(text)(frame)
    return value if type(value) in SCALARS else copied(value, frame.meter, (0, 0))


def execute(
    text: str,
    variables: Mapping[str, Any],
    functions: Mapping[str, Callable[..., Any]] = _NOTHING,
    *,
    budget: int = BUDGET,
) -> dict[str, Any]:
    """The variables a script sets or changes, with their new values; ``variables`` itself stays as it is.

    Raises: ExpressionError; then nothing of the script has happened.
    """
    changed: dict[str, Any] = {}
    frame = Frame({**variables}, functions, budget)
    for name, keys, value, at in _script(text):
        result = copied(value(frame), frame.meter, at)
        if keys:
            if name not in changed:
                changed[name] = copied(_lookup(frame, name, at), frame.meter, at)
            _put(changed[name], [key(frame) for key in keys], result, at)
        else:
            changed[name] = result
        frame.variables = {**frame.variables, name: changed[name]}
    return changed


@lru_cache(maxsize=4096)
def _expression(text: str) -> Run:
    tree = parsed(text, "eval")
    assert isinstance(tree, ast.Expression)  # noqa: S101 - what "eval" gives
    return _build(tree.body, frozenset())


@lru_cache(maxsize=1024)
def _script(text: str) -> tuple[tuple[str, tuple[Run, ...], Run, Position], ...]:
    tree = parsed(text, "exec")
    lines = []
    for line in tree.body if isinstance(tree, ast.Module) else ():
        assert isinstance(line, ast.Assign)  # noqa: S101 - `parsed` lets nothing else through
        keys: list[Run] = []
        target = line.targets[0]
        while isinstance(target, ast.Subscript):
            keys.insert(0, _build(target.slice, frozenset()))
            target = target.value
        lines.append((root(target), tuple(keys), _build(line.value, frozenset()), position(line)))
    return tuple(lines)


def _lookup(frame: Frame, name: str, at: Position) -> Any:
    try:
        return frame.variables[name]
    except KeyError:
        raise ExpressionError("unknown_name", at) from None


def _put(holder: Any, keys: list[Any], value: Any, at: Position) -> None:
    for key in keys[:-1]:
        holder = _item(holder, key, at)
    key = keys[-1]
    if type(holder) is dict and type(key) is str:
        holder[key] = value
    elif type(holder) is list and type(key) is int:
        _item(holder, key, at)
        holder[key] = value
    else:
        raise ExpressionError("type", at)


def _item(holder: Any, key: Any, at: Position) -> Any:
    kind = type(holder)
    fits = type(key) is str if kind is dict else kind in (list, tuple, str) and type(key) in (int, slice)
    if not fits:
        raise ExpressionError("type", at)
    try:
        return holder[key]
    except KeyError:
        raise ExpressionError("missing_key", at) from None
    except IndexError:
        raise ExpressionError("missing_index", at) from None
    except TypeError:
        raise ExpressionError("type", at) from None


def _build(node: ast.AST, bound: frozenset[str]) -> Run:
    return _BUILDERS[type(node)](node, bound)


def _constant(node: ast.Constant, _bound: frozenset[str]) -> Run:
    value = node.value
    return lambda frame: value


def _name(node: ast.Name, bound: frozenset[str]) -> Run:
    name, at = node.id, position(node)
    if name in bound:
        return lambda frame: frame.local[name]

    def run(frame: Frame) -> Any:
        try:
            value = frame.variables[name]
        except KeyError:
            raise ExpressionError("unknown_name", at) from None
        if type(value) not in PLAIN:
            raise ExpressionError("type", at)
        return value

    return run


def _subscript(node: ast.Subscript, bound: frozenset[str]) -> Run:
    holder, key, at = _build(node.value, bound), _build(node.slice, bound), position(node)
    return lambda frame: _item(holder(frame), key(frame), at)


def _slice(node: ast.Slice, bound: frozenset[str]) -> Run:
    lower = _build(node.lower or ast.Constant(None), bound)
    upper = _build(node.upper or ast.Constant(None), bound)
    return lambda frame: slice(lower(frame), upper(frame))


def _bool_op(node: ast.BoolOp, bound: frozenset[str]) -> Run:
    parts = [_build(value, bound) for value in node.values]
    stops = isinstance(node.op, ast.Or)

    def run(frame: Frame) -> Any:
        value: Any = None
        for part in parts:
            value = part(frame)
            if bool(value) is stops:
                return value
        return value

    return run


def _unary(node: ast.UnaryOp, bound: frozenset[str]) -> Run:
    operand, at = _build(node.operand, bound), position(node)
    if isinstance(node.op, ast.Not):
        return lambda frame: not operand(frame)
    negates = isinstance(node.op, ast.USub)

    def run(frame: Frame) -> Any:
        value = operand(frame)
        if type(value) not in NUMBERS:
            raise ExpressionError("type", at)
        return -value if negates else +value

    return run


def _bin_op(node: ast.BinOp, bound: frozenset[str]) -> Run:
    left, right, at = _build(node.left, bound), _build(node.right, bound), position(node)
    apply = ARITHMETIC[type(node.op)]

    def run(frame: Frame) -> Any:
        try:
            return bounded(apply(left(frame), right(frame), frame.meter, at), at)
        except TypeError:
            raise ExpressionError("type", at) from None
        except ZeroDivisionError:
            raise ExpressionError("division_by_zero", at) from None
        except OverflowError:
            raise ExpressionError("too_large", at) from None

    return run


def _compare(node: ast.Compare, bound: frozenset[str]) -> Run:
    first, at = _build(node.left, bound), position(node)
    rest = [(COMPARE[type(op)], _build(right, bound)) for op, right in zip(node.ops, node.comparators, strict=True)]

    def run(frame: Frame) -> Any:
        left = first(frame)
        for compare, build in rest:
            right = build(frame)
            for side in (left, right):
                if type(side) is str or type(side) in HOLDERS:
                    weigh(side, frame.meter, at)
            try:
                if not compare(left, right):
                    return False
            except TypeError:
                raise ExpressionError("type", at) from None
            left = right
        return True

    return run


def _if(node: ast.IfExp, bound: frozenset[str]) -> Run:
    test, yes, no = _build(node.test, bound), _build(node.body, bound), _build(node.orelse, bound)
    return lambda frame: yes(frame) if test(frame) else no(frame)


def _list(node: ast.List | ast.Tuple, bound: frozenset[str]) -> Run:
    parts = [_build(part, bound) for part in node.elts]
    return lambda frame: [part(frame) for part in parts]


def _dict(node: ast.Dict, bound: frozenset[str]) -> Run:
    at = position(node)
    pairs = [(_build(k, bound), _build(v, bound)) for k, v in zip(node.keys, node.values, strict=True) if k]

    def run(frame: Frame) -> Any:
        made = {}
        for key, value in pairs:
            name = key(frame)
            if type(name) is not str:
                raise ExpressionError("type", at)
            made[name] = value(frame)
        return made

    return run


def _text(node: ast.JoinedStr, bound: frozenset[str]) -> Run:
    parts = [_build(part.value if isinstance(part, ast.FormattedValue) else part, bound) for part in node.values]
    at = position(node)

    def run(frame: Frame) -> str:
        try:
            texts = [text_of(part(frame)) for part in parts]
        except (TypeError, ValueError):
            raise ExpressionError("type", at) from None
        frame.meter.take(sum(len(text) for text in texts), at)
        return str(bounded("".join(texts), at))

    return run


def _call(node: ast.Call, bound: frozenset[str]) -> Run:
    assert isinstance(node.func, ast.Name)  # noqa: S101 - `parsed` lets nothing else through
    name, at = node.func.id, position(node)
    parts = [_build(part, bound) for part in node.args]

    def run(frame: Frame) -> Any:
        function = FUNCTIONS.get(name) or frame.functions.get(name)
        if function is None:
            raise ExpressionError("unknown_function", at)
        values = [part(frame) for part in parts]
        frame.meter.take(1, at)
        if name != "len":
            for value in values:
                weigh(value, frame.meter, at)
        try:
            result = function(*values)
        except (TypeError, ValueError):
            raise ExpressionError("type", at) from None
        except OverflowError:
            raise ExpressionError("too_large", at) from None
        if type(result) not in PLAIN:
            raise ExpressionError("type", at)
        return bounded(result, at)

    return run


def _comprehension(node: ast.ListComp, bound: frozenset[str]) -> Run:
    loops: list[tuple[str, Run, list[Run]]] = []
    for loop in node.generators:
        source = _build(loop.iter, bound)
        bound |= {root(loop.target)}
        loops.append((root(loop.target), source, [_build(test, bound) for test in loop.ifs]))
    element, at = _build(node.elt, bound), position(node)
    price = sum(1 for _ in ast.walk(node))

    def fill(frame: Frame, made: list[Any], depth: int) -> None:
        if depth == len(loops):
            made.append(element(frame))
            return
        name, source, tests = loops[depth]
        values = source(frame)
        if type(values) not in HOLDERS:
            raise ExpressionError("type", at)
        for value in values:
            frame.meter.take(price, at)
            frame.local[name] = value
            if all(test(frame) for test in tests):
                fill(frame, made, depth + 1)

    def run(frame: Frame) -> Any:
        made: list[Any] = []
        outer = frame.local
        frame.local = dict(outer)
        fill(frame, made, 0)
        frame.local = outer
        return made

    return run


_BUILDERS: Mapping[type[ast.AST], Callable[[Any, frozenset[str]], Run]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.BoolOp: _bool_op,
    ast.UnaryOp: _unary,
    ast.BinOp: _bin_op,
    ast.Compare: _compare,
    ast.IfExp: _if,
    ast.List: _list,
    ast.Tuple: _list,
    ast.Dict: _dict,
    ast.JoinedStr: _text,
    ast.Call: _call,
    ast.ListComp: _comprehension,
}
