"""What the operators of an expression do: numbers with numbers, text with text, nothing that repeats or formats."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from engine.bpmn.expressions.values import INT_BITS, ExpressionError, Meter, Position

NUMBERS = frozenset({int, float, bool})


def _add(left: Any, right: Any, meter: Meter, at: Position) -> Any:
    kind = type(left)
    if kind in NUMBERS and type(right) in NUMBERS:
        return left + right
    if kind is type(right) and kind in (str, list, tuple):
        meter.take(len(left) + len(right), at)
        return left + right
    raise TypeError


def _power(left: Any, right: Any, _meter: Meter, at: Position) -> Any:
    if type(left) not in NUMBERS or type(right) not in NUMBERS:
        raise TypeError
    # judged before it is computed: 9 ** 9 ** 9 would never come back
    if type(left) is not float and type(right) is not float and max(left.bit_length(), 1) * abs(right) > INT_BITS:
        raise ExpressionError("too_large", at)
    return left**right


def _numeric(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Meter, Position], Any]:
    def run(left: Any, right: Any, _meter: Meter, _at: Position) -> Any:
        # numbers only: text * 9 repeats, text % x formats
        if type(left) not in NUMBERS or type(right) not in NUMBERS:
            raise TypeError
        return apply(left, right)

    return run


ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any, Meter, Position], Any]] = {
    ast.Add: _add,
    ast.Sub: _numeric(operator.sub),
    ast.Mult: _numeric(operator.mul),
    ast.Div: _numeric(operator.truediv),
    ast.FloorDiv: _numeric(operator.floordiv),
    ast.Mod: _numeric(operator.mod),
    ast.Pow: _power,
}

COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
