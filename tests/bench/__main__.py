"""`python -m tests.bench`: measure, print the report, keep it in var/bench.md."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

from tests.bench.hosts import ROOT
from tests.bench.report import render
from tests.bench.runs import DATABASES, Extent, run


def main() -> None:
    """Exit 0 when measured, whatever the figures say: a miss is reported, not hidden behind a red build."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less than a minute, rough figures")
    parser.add_argument("--finished", type=int, help="finished cases in the database (100,000)")
    parser.add_argument("--open-tasks", type=int, help="open tasks under the worklist (200,000)")
    parser.add_argument("--database", choices=DATABASES, action="append", help="only this one")
    told = parser.parse_args()
    extent = Extent.quick() if told.quick else Extent()
    if told.finished is not None:
        extent = replace(extent, finished=told.finished)
    if told.open_tasks is not None:
        extent = replace(extent, open_tasks=told.open_tasks)
    begun = time.perf_counter()
    results = run(extent, _say, only=told.database or DATABASES)
    report = render(results, time.perf_counter() - begun)
    path = ROOT / "var" / "bench.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(report, encoding="utf-8")
    print(report)


def _say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
