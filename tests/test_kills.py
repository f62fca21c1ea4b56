"""Killed at the worst moments: every case goes on to its end and no recorded effect happens twice."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.killing import (
    Cluster,
    demonstrate,
    killer,
    nothing_lost_nothing_twice,
    postgresql,
    prepare,
    settle,
)
from tests.outside import sms_gateway

POINTS = ("after_lock", "before_commit", "after_commit", "after_send")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="sw"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("point", POINTS)
def test_killed_once_at_each_named_point(folder: Path, point: str) -> None:
    url = f"sqlite:///{folder}/district.db"
    prepare(url, folder)
    with (
        sms_gateway() as (gateway, address),
        Cluster(url=url, folder=folder, sms=address, kill_at=f"{point}:3") as cluster,
    ):
        [process] = cluster.processes
        summary = demonstrate(cluster.doors, cases=2, seed=1)
        settle(url, folder)
        assert process.deaths >= 1, f"nobody ever reached {point}"
        nothing_lost_nothing_twice(url, folder, summary, gateway)


def test_killed_at_random_on_one_file(folder: Path) -> None:
    _random_kills(f"sqlite:///{folder}/district.db", folder, cases=4, times=3, servers=1, workers=0)


@pytest.mark.soak
def test_killed_twenty_times_on_one_file(folder: Path) -> None:
    _random_kills(f"sqlite:///{folder}/district.db", folder, cases=40, times=20, servers=1, workers=0)


def _random_kills(url: str, folder: Path, *, cases: int, times: int, servers: int, workers: int) -> None:
    prepare(url, folder)
    with (
        sms_gateway() as (gateway, address),
        Cluster(url=url, folder=folder, sms=address, servers=servers, workers=workers, beside=not workers) as cluster,
        killer(cluster.processes, times=times, every=1.5, seed=1) as kills,
    ):
        summary = demonstrate(cluster.doors, cases=cases, seed=2)
        settle(url, folder)
        assert sum(kills.values()) >= 1
        nothing_lost_nothing_twice(url, folder, summary, gateway)


@pytest.mark.soak
def test_two_servers_two_workers_and_the_database_killed_twenty_times(folder: Path) -> None:
    with postgresql(folder / "pg") as server:
        prepare(server.url, folder)
        with (
            sms_gateway() as (gateway, address),
            Cluster(url=server.url, folder=folder, sms=address, servers=2, workers=2, beside=False) as cluster,
            killer([*cluster.processes, server], times=20, every=2.0, seed=3) as kills,
        ):
            summary = demonstrate(cluster.doors, cases=60, seed=4)
            settle(server.url, folder)
            assert kills[len(cluster.processes)] >= 1, "the database was never among the killed"
            nothing_lost_nothing_twice(server.url, folder, summary, gateway)
