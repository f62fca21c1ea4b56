"""Two hundred attacks by somebody who holds the database: each is found, and what was hit is named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from engine.connectors import Folder
from engine.store import Store, verify
from engine.store.verify_checkpoints import Copy
from tests.attacks.table import ATTACKS
from tests.conftest import Cluster
from tests.victim import RING, Victim, copy_to, make_victim

GUARDS = ("event_insert_continues", "event_no_update", "event_no_delete")


@pytest.fixture(scope="module")
def victim(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Victim:
    """The finished database, its guards already taken off."""
    made = make_victim(migrated_file, tmp_path_factory.mktemp("victim"))
    engine = sa.create_engine(f"sqlite:///{made.file}")
    with engine.begin() as connection:
        for name in GUARDS:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    engine.dispose()
    return made


def _copy(victim: Victim, folder: Path) -> Victim:
    """The same with a file and copies of its own."""
    copies = folder / "copies"
    shutil.rmtree(copies, ignore_errors=True)
    shutil.copytree(victim.copies, copies)
    return replace(victim, file=folder / "attacked.db", copies=copies)


def _found(store: Store, victim: Victim) -> list[str]:
    outside = (Copy(name=name, content=content) for name, content in Folder(victim.copies).copies())
    faults = verify.verify(store, outside=outside).faults
    return [f"{fault.stream} {fault.number} {fault.row}: {fault.what}" for fault in faults]


@pytest.fixture(scope="module")
def opened(victim: Victim, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Path]]:
    """One store for all attacks (its statements stay compiled); each attack lays a fresh file under it."""
    folder = tmp_path_factory.mktemp("attacked")
    store = Store.open(f"sqlite:///{folder / 'attacked.db'}", RING)
    yield store, folder
    store.close()


@pytest.fixture(scope="module")
def attacker(opened: tuple[Store, Path]) -> sa.Engine:
    """A way to the same file that heeds no foreign keys; nothing of it stays open between two attacks."""
    return sa.create_engine(f"sqlite:///{opened[1] / 'attacked.db'}", poolclass=sa.pool.NullPool)


def _fresh(opened: tuple[Store, Path], victim: Victim) -> Victim:
    store, folder = opened
    store.close()
    for path in folder.glob("attacked.db*"):
        path.unlink()
    shutil.copyfile(victim.file, folder / "attacked.db")
    return _copy(victim, folder)


def test_there_are_two_hundred_attacks() -> None:
    assert sum(not attack.soak for attack in ATTACKS.values()) >= 200


def test_the_database_that_is_attacked_is_clean(opened: tuple[Store, Path], victim: Victim) -> None:
    mine = _fresh(opened, victim)
    assert _found(opened[0], mine) == []


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.soak] if attack.soak else []) for name, attack in ATTACKS.items()],
)
def test_an_attack_on_sqlite_is_found_and_named(
    name: str, opened: tuple[Store, Path], attacker: sa.Engine, victim: Victim
) -> None:
    mine = _fresh(opened, victim)
    with attacker.begin() as connection:
        hit = ATTACKS[name].do(connection, mine)
    found = _found(opened[0], mine)
    assert any(hit in line for line in found), f"{hit} is not in {found[:10]}"


def test_a_database_set_back_as_a_whole_is_found(opened: tuple[Store, Path], victim: Victim) -> None:
    mine = _fresh(opened, victim)
    shutil.copyfile(victim.before, mine.file)
    found = _found(opened[0], mine)
    assert any(f"case:{victim.running}" in line and "no longer there" in line for line in found)
    assert any("the database no longer holds a checkpoint" in line for line in found)


@pytest.fixture(scope="module")
def template(cluster: Cluster, victim: Victim) -> Iterator[str]:
    """The same database on PostgreSQL, to be copied for each attack."""
    name, url = cluster.create()
    source = Store.open(f"sqlite:///{victim.file}", RING)
    target = sa.create_engine(url)
    copy_to(source, target)
    target.dispose()
    source.close()
    yield name
    cluster.drop(name)


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if attack.everywhere])
def test_an_attack_on_postgresql_is_found_and_named(
    name: str, cluster: Cluster, template: str, victim: Victim, tmp_path: Path
) -> None:
    database, url = cluster.create(template)
    mine = _copy(victim, tmp_path)
    store = Store.open(url, RING)
    try:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("SET session_replication_role = replica")
            hit = ATTACKS[name].do(connection, mine)
        found = _found(store, mine)
    finally:
        store.close()
        cluster.drop(database)
    assert any(hit in line for line in found), f"{hit} is not in {found[:10]}"
