"""Killed at the worst moments: every case goes on to its end and no recorded effect happens twice."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.demo import Summary
from tests.killing import (
    Cluster,
    Database,
    Process,
    added,
    demonstrate,
    killer,
    nothing_lost_nothing_twice,
    postgresql,
    prepare,
    settle,
)
from tests.outside import Gateway, sms_gateway

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
    url = f"sqlite:///{folder}/district.db"
    prepare(url, folder)
    with sms_gateway() as (gateway, address), Cluster(url=url, folder=folder, sms=address) as cluster:
        _killed_until(cluster, cluster.processes, gateway, times=2, every=1.5)


@pytest.mark.soak
def test_killed_twenty_times_on_one_file(folder: Path) -> None:
    url = f"sqlite:///{folder}/district.db"
    prepare(url, folder)
    with sms_gateway() as (gateway, address), Cluster(url=url, folder=folder, sms=address) as cluster:
        _killed_until(cluster, cluster.processes, gateway, times=20, every=4)


@pytest.mark.soak
def test_two_servers_two_workers_and_the_database_killed_twenty_times(folder: Path) -> None:
    with postgresql(folder / "pg") as server:
        prepare(server.url, folder)
        with (
            sms_gateway() as (gateway, address),
            Cluster(url=server.url, folder=folder, sms=address, servers=2, workers=2, beside=False) as cluster,
        ):
            _killed_until(cluster, [*cluster.processes, server], gateway, times=20, every=4)
            assert server.deaths >= 1, "the database was never among the killed"


def _killed_until(
    cluster: Cluster, victims: list[Process | Database], gateway: Gateway, *, times: int, every: float
) -> None:
    """Demonstrate, ten cases after ten, until so many have been killed; then nothing may be lost or doubled."""
    total = Summary()
    with killer(victims, times=times, every=every, seed=times) as kills:
        seed = 0
        while sum(kills.values()) < times:
            seed += 1
            total = added(total, demonstrate(cluster.doors, cases=4 if times < 10 else 10, seed=seed))
    settle(cluster.url, cluster.folder)
    nothing_lost_nothing_twice(cluster.url, cluster.folder, total, gateway)
