"""Replay at size: memory that does not grow with the history, and thousands of the demonstration's cases."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from uuid import UUID

import pytest

from api.settings import Settings
from engine import commands as c
from engine.commands.packages import MANIFEST, SIGNATURE
from engine.model import SYSTEM
from engine.store import Chosen, Store, plain_text
from tests.hall import driven

ROOT = Path(__file__).parent.parent
MEGABYTE = 1_000_000
# The kernel's own high-water mark: getrusage's would still be that of the process it was forked from.
PEAK = """
import atexit, re, sys
atexit.register(lambda: print("peak", re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]))
from api.cli import main
main()
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def exported(folder: Path, url: str, path: Path) -> None:
    store = Store.open(url, Settings(keys_path=folder / "keys.json").keys())
    with path.open("wb") as out:
        c.export_cases(c.Office(store), SYSTEM, Chosen(), out)
    store.close()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    url, _ = driven(folder, cases=6, seed=2)
    exported(folder, url, folder / "cases.zip")
    return folder / "cases.zip"


def grown(package: Path, path: Path, least: int) -> int:
    """The same cases again and again under other ids, until their events fill ``least`` bytes; how many cases.

    Whoever made it holds no key: its signature is nobody's, as ``replay`` says.
    """
    old = zipfile.ZipFile(package)
    with old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        manifest = json.loads(old.read(MANIFEST))
        parts = [each["name"] for each in manifest["members"] if each["name"].startswith("cases/")]
        lines = b"".join(old.read(name) for name in parts)
        members = [each for each in manifest["members"] if each["name"] not in parts]
        for each in members:
            new.writestr(each["name"], old.read(each["name"]))
        size = cases = 0
        while size < least:
            body, numbered = _renumbered(lines, cases)
            name = f"cases/{len(members):06d}.jsonl"
            new.writestr(name, body)
            members.append({"name": name, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()})
            size, cases = size + len(body), cases + numbered
        manifest |= {"members": members, "counts": {"cases": cases}}
        new.writestr(MANIFEST, plain_text(manifest))
        new.writestr(SIGNATURE, old.read(SIGNATURE))
    return cases


def _renumbered(lines: bytes, first: int) -> tuple[bytes, int]:
    number = first

    def another(found: re.Match[bytes]) -> bytes:
        nonlocal number
        number += 1
        return found[1] + str(UUID(int=number)).encode()

    return re.sub(rb'^(\{"case":.*?"id":")[0-9a-f-]{36}', another, lines, flags=re.M), number - first


def replayed(path: Path, seed: str = "0") -> tuple[str, int]:
    """``sanwei replay`` in a process of its own: what it printed, and the most memory it ever held, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, "replay", str(path)],
        cwd=path.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, int(done.stdout.split()[-1]) * 1024


def test_more_history_takes_no_more_memory(package: Path, tmp_path: Path) -> None:
    """Held as it is read, a megabyte of lines would take about six."""
    with package.open("rb") as file:
        shelf = c.Shelf(c.read_package(file))  # what is published is compiled once, however many cases there are
        c.replay_cases(shelf, c.read_package(file).cases())
        peaks = []
        for number, size in enumerate((MEGABYTE // 2, 2 * MEGABYTE)):
            path = tmp_path / f"{number}.zip"
            cases = grown(package, path, size)
            tracemalloc.start()
            with path.open("rb") as grown_file:
                found = c.replay_cases(shelf, c.read_package(grown_file).cases())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert (found.cases, found.identical) == (cases, cases)
    assert peaks[1] - peaks[0] < 2 * MEGABYTE


@linux
@pytest.mark.soak
def test_a_gigabyte_of_events_is_replayed_within_500_megabytes(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "gigabyte.zip"
    cases = grown(package, path, 1000 * MEGABYTE)
    told, peak = replayed(path)
    sys.stdout.write(f"{told}\npeak {peak / MEGABYTE:.0f} MB of {path.stat().st_size / MEGABYTE:.0f} MB packed\n")
    assert f"{cases} cases: {cases} identical, 0 differ" in told
    assert peak < 500 * MEGABYTE


@pytest.mark.soak
def test_two_thousand_cases_are_executed_again_under_another_hash_seed(tmp_path: Path) -> None:
    url, summary = driven(tmp_path, cases=2000, seed=1)
    assert summary.unfinished == []
    assert {outcome for _, outcome in summary.outcomes} >= {"granted", "denied", "not_accepted", "withdrawn", "lapsed"}
    path = tmp_path / "cases.zip"
    exported(tmp_path, url, path)
    told, peak = replayed(path, seed="4711")
    sys.stdout.write(f"{told}\npeak {peak / MEGABYTE:.0f} MB\n")
    assert "2000 cases: 2000 identical, 0 differ, 0 erased" in told
