"""Moments of timers from ISO 8601 text; the present is always given, never looked up.

Months and years follow civil law (民法典 §202: where the month has no such day, its last day is the term's end).
Times without a zone are Asia/Shanghai's.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

SHANGHAI = timezone(timedelta(hours=8))
"""Asia/Shanghai has had no other offset since 1991; a fixed one keeps old cases independent of zone tables."""

_ISO = re.compile(r"^(R\d*/|P(?=[\dT])|\d{4}-\d\d)")
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_DURATION = re.compile(
    r"^P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?$"
)
Evaluate = Callable[[str], Any]


def shift(start: datetime, duration: Any) -> datetime:
    """``start`` moved by an ISO duration (or a timedelta), counted in Shanghai's calendar.

    Raises: ValueError.
    """
    if isinstance(duration, timedelta):
        return start + duration
    found = _DURATION.match(duration) if isinstance(duration, str) else None
    if found is None:
        raise ValueError("no duration")
    years, months, weeks, days = (int(part or 0) for part in found.groups()[:4])
    hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.groups()[4:])
    local = start.astimezone(SHANGHAI)
    month = local.month - 1 + months + 12 * years
    year, month = local.year + month // 12, month % 12 + 1
    local = local.replace(year=year, month=month, day=min(local.day, monthrange(year, month)[1]))
    moved = local + timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return moved.astimezone(start.tzinfo)


def moment(value: Any) -> datetime:
    """An aware moment from text, a date or a datetime. Raises: ValueError, TypeError."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise TypeError("no moment")
    return value if value.tzinfo else value.replace(tzinfo=SHANGHAI)


def stamp(value: datetime) -> str:
    """The one text form of a moment in states: UTC with microseconds, so that texts sort like moments."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def first(kind: str, text: str, evaluate: Evaluate, now: datetime) -> tuple[str, int]:
    """First due moment, and the number of firings left after it (-1: without end). Raises: ValueError, TypeError."""
    value = _value(text, evaluate)
    if kind == "timeDate":
        return stamp(moment(value)), 0
    if kind == "timeDuration":
        return stamp(shift(now, value)), 0
    parts = _cycle(value)
    left = int(parts[0][1:]) - 1 if parts[0][1:] else -1
    begins = stamp(shift(now, parts[1]) if len(parts) == 2 else moment(parts[1]))
    if left:
        following(text, begins, evaluate)
    return begins, left


def following(text: str, due: str, evaluate: Evaluate) -> str:
    """The firing of a cycle after ``due``, the planned moment, not the noticed one. Raises as ``first``."""
    after = stamp(shift(datetime.fromisoformat(due), _cycle(_value(text, evaluate))[-1]))
    if after <= due:
        raise ValueError("a cycle that stands still would fire for ever")
    return after


def _value(text: str, evaluate: Evaluate) -> Any:
    """Literal ISO text as the standard writes it, otherwise an expression giving text, a date or a duration."""
    return text if _ISO.match(text) else evaluate(text)


def _cycle(value: Any) -> list[str]:
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) not in (2, 3) or not re.fullmatch(r"R\d*", parts[0]) or parts[0] == "R0":
        raise ValueError("no repeating interval")
    return parts
