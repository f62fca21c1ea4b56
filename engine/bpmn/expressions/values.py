"""The values an expression may hold, what they cost, and the pure functions over them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from engine.errors import SanweiError

INT_BITS = 256
"""No whole number grows beyond this: money, codes and counts fit many times over."""
TEXT_LENGTH = 65_536
"""Characters of one text; all variables of a case together may take 64 kB."""
VALUE_DEPTH = 40
"""Lists in lists in lists: deeper values are refused before Python's own recursion limit would show."""
RANGE_LENGTH = 2_000

_WRITTEN = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")

SCALARS = frozenset({type(None), bool, int, float, str, datetime, date, timedelta})
HOLDERS = frozenset({list, tuple, dict})
PLAIN = SCALARS | HOLDERS

Position = tuple[int, int]
"""Line and column in the expression's text, both from 1; (0, 0) where the text as a whole is meant."""


class ExpressionError(SanweiError):
    """An expression could not be evaluated.

    ``code`` is a stable snake_case word, ``position`` line and column in the text. Neither the message nor the facts
    ever quote a value: they end up in incidents and logs.
    """

    zh = "表达式无法计算"

    def __init__(self, code: str, position: Position = (0, 0)) -> None:
        self.code = code
        self.position = position
        super().__init__(f"{code} at {position[0]}:{position[1]}", code=code, position=position)

    def __reduce__(self) -> tuple[type[ExpressionError], tuple[str, Position]]:
        return type(self), (self.code, self.position)


class Meter:
    """Counts down the steps one evaluation may take; no clock is involved, so the same input always ends alike."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, steps: int, at: Position = (0, 0)) -> None:
        """Pay ``steps``. Raises: ExpressionError ``too_many_steps``."""
        self.left -= steps
        if self.left < 0:
            raise ExpressionError("too_many_steps", at)


def copied(value: Any, meter: Meter, at: Position, depth: int = 0) -> Any:
    """A copy that shares nothing changeable with ``value``: dicts with text keys, lists (tuples become lists), scalars.

    Raises: ExpressionError ``type`` for any other kind of object, ``too_deep``, ``too_many_steps``.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind not in HOLDERS:
        raise ExpressionError("type", at)
    if depth >= VALUE_DEPTH:
        raise ExpressionError("too_deep", at)
    meter.take(len(value) + 1, at)
    if kind is dict:
        if any(type(key) is not str for key in value):
            raise ExpressionError("type", at)
        return {key: copied(held, meter, at, depth + 1) for key, held in value.items()}
    return [copied(held, meter, at, depth + 1) for held in value]


def weigh(value: Any, meter: Meter, at: Position, depth: int = 0) -> None:
    """Pay for one look at all of ``value``, before Python's own comparison or sorting looks at it.

    Raises: ExpressionError ``too_deep``, ``too_many_steps``.
    """
    if depth > VALUE_DEPTH:
        raise ExpressionError("too_deep", at)
    kind = type(value)
    if kind is str:
        meter.take(len(value) // 256, at)
    elif kind in HOLDERS:
        meter.take(len(value) + 1, at)
        for held in value.values() if kind is dict else value:
            if type(held) in HOLDERS or type(held) is str:
                weigh(held, meter, at, depth + 1)


def bounded(value: Any, at: Position) -> Any:
    """``value`` if it is a number or text of a sane size. Raises: ExpressionError ``too_large``, ``not_finite``."""
    kind = type(value)
    if kind is int:
        if value.bit_length() > INT_BITS:
            raise ExpressionError("too_large", at)
    elif kind is float:
        if not math.isfinite(value):
            raise ExpressionError("not_finite", at)
    elif kind is str and len(value) > TEXT_LENGTH:
        raise ExpressionError("too_large", at)
    elif kind is complex:
        raise ExpressionError("type", at)
    return value


def text_of(value: Any) -> str:
    """Text of a scalar; lists and mappings have no text a form or a paper could want. Raises: TypeError."""
    if type(value) not in SCALARS:
        raise TypeError
    return value if type(value) is str else str(value)


def _rounded(value: Any, digits: Any = 0) -> Any:
    # round(1, -10**9) would build a number of a thousand million digits
    if type(value) not in (int, float) or type(digits) is not int or not 0 <= digits <= 15:
        raise TypeError
    return round(value, digits) if digits else round(value)


def _summed(values: Any) -> Any:
    if type(values) not in (list, tuple) or any(type(v) not in (int, float, bool) for v in values):
        raise TypeError
    return sum(values)


def _span(*ends: Any) -> list[int]:
    if not all(type(end) is int for end in ends):
        raise TypeError
    numbers = range(*ends)
    if len(numbers) > RANGE_LENGTH:
        raise OverflowError
    return list(numbers)


def _whole(value: Any) -> int:
    return int(_number(value))


def _real(value: Any) -> float:
    return float(_number(value))


def _number(value: Any) -> Any:
    # Python also reads ' 1_000 ', 'nan' and other scripts' digits; a register's code must not silently become a number
    if type(value) is str and not _WRITTEN.fullmatch(value):
        raise ValueError
    if type(value) not in (int, float, bool, str):
        raise TypeError
    return value


def _ordered(values: Any) -> list[Any]:
    if type(values) not in HOLDERS:
        raise TypeError
    return sorted(values)


def _least(*values: Any) -> Any:
    return min(*values) if len(values) > 1 else min(_ordered_input(values))


def _most(*values: Any) -> Any:
    return max(*values) if len(values) > 1 else max(_ordered_input(values))


def _ordered_input(values: tuple[Any, ...]) -> Any:
    if len(values) != 1 or type(values[0]) not in HOLDERS:
        raise TypeError
    return values[0]


def _any(values: Any) -> bool:
    return any(_ordered_input((values,)))


def _all(values: Any) -> bool:
    return all(_ordered_input((values,)))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "all": _all,
    "any": _any,
    "bool": bool,
    "float": _real,
    "int": _whole,
    "len": len,
    "max": _most,
    "min": _least,
    "range": _span,
    "round": _rounded,
    "sorted": _ordered,
    "str": text_of,
    "sum": _summed,
}
"""Every function an expression knows by itself. They look at values only: no clock, no chance, no outside."""
