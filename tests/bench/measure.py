"""How a figure is taken: samples in milliseconds, their median and 95th percentile, and CPU seconds from ``/proc``."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured act: milliseconds (median, 95th percentile), rate a second, CPU milliseconds per act."""

    median: float
    p95: float
    count: int
    rate: float | None = None
    cpu: float | None = None
    database_cpu: float | None = None
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class InProcess:
    """One shape without database or HTTP: parse or compile, start, complete a human task, fire a timer."""

    parse: Figure
    start: Figure
    complete: Figure | None
    fire: Figure | None


def figure(samples: Sequence[float], **more: Any) -> Figure:
    """Median and 95th percentile of ``samples`` (milliseconds)."""
    ordered = sorted(samples)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return Figure(median=statistics.median(ordered), p95=last, count=len(ordered), **more)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds ``work`` took, and what it gave."""
    begun = perf_counter()
    result = work()
    return (perf_counter() - begun) * 1000, result


def repeated(work: Callable[[], Any], times: int, longest: float = 3000) -> Figure:
    """``work`` done ``times`` times, or as often as fits into ``longest`` milliseconds; once before to warm up."""
    first, _ = timed(work)
    return figure([timed(work)[0] for _ in range(max(1, min(times, int(longest / first))))])


def descendants(pid: int) -> list[int]:
    """The process and all its children of any depth that live now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parts = _stat(int(entry.name))
            if parts:
                children.setdefault(int(parts[1]), []).append(int(entry.name))
    found, ahead = [], [pid]
    while ahead:
        found.append(ahead.pop())
        ahead += children.get(found[-1], [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system seconds used so far by these processes and by their children that have ended."""
    return sum(sum(map(int, parts[11:15])) for pid in pids if (parts := _stat(pid))) / TICKS


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/<pid>/stat`` behind the command's name: state, parent, …; empty if it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
