"""One hall per kind of database for all stories of a run: cases do not touch each other, their ways add up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.processes.story import Hall


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def hall(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder = tmp_path_factory.mktemp("hall")
    url = f"sqlite:///{folder}/hall.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("cluster").create()[1]
    found = Hall(url, folder)
    yield found
    found.office.store.close()
