"""The values a case can hold: plain data, copied whenever it changes hands, and their JSON form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

_TAG = "$"
_SCALARS = frozenset({str, int, bool, datetime, date, timedelta, Decimal, type(None)})
_READ: dict[str, Callable[[str], Any]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "Decimal": Decimal,
}
DEPTH = 64
"""How deep lists and mappings may lie in each other."""


class Unstorable(Exception):
    """A value that cannot be kept in a case. Never says which."""


def private(value: Any, depth: int = 0) -> Any:
    """A copy of plain data that shares nothing changeable; tuples become lists.

    Raises: Unstorable for anything but text, numbers (finite), truth values, dates, times, None, lists and mappings
    with text keys, or deeper than ``DEPTH``.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if depth > DEPTH:
        raise Unstorable
    if kind is float and isfinite(value):
        return value
    if kind is dict:
        if any(type(key) is not str for key in value):
            raise Unstorable
        return {key: private(held, depth + 1) for key, held in value.items()}
    if kind in (list, tuple):
        return [private(held, depth + 1) for held in value]
    raise Unstorable


def alike(one: Any, other: Any) -> bool:
    """Equal in value and in type: ``1`` is neither ``True`` nor ``1.0``."""
    if type(one) is not type(other):
        return False
    if type(one) is dict:
        return one.keys() == other.keys() and all(alike(held, other[key]) for key, held in one.items())
    if type(one) is list:
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def pack(value: Any) -> Any:
    """JSON for a plain value: dates, times and decimals as a tagged pair that no mapping of a user can imitate."""
    kind = type(value)
    if kind is dict:
        packed = {key: pack(held) for key, held in value.items()}
        return {_TAG: ["dict", packed]} if _TAG in value else packed
    if kind is list:
        return [pack(held) for held in value]
    if kind in (datetime, date):
        return {_TAG: [kind.__name__, value.isoformat()]}
    if kind is timedelta:
        return {_TAG: ["timedelta", [value.days, value.seconds, value.microseconds]]}
    if kind is Decimal:
        return {_TAG: ["Decimal", str(value)]}
    return value


def unpack(value: Any) -> Any:
    """The reverse of ``pack``."""
    if type(value) is list:
        return [unpack(held) for held in value]
    if type(value) is not dict:
        return value
    if _TAG not in value:
        return {key: unpack(held) for key, held in value.items()}
    kind, held = value[_TAG]
    if kind == "dict":
        return {key: unpack(each) for key, each in held.items()}
    if kind == "timedelta":
        return timedelta(*held)
    return _READ[kind](held)
