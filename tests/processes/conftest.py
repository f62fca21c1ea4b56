"""One hall for all stories of a run: cases do not touch each other, and the ways they took add up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.processes.story import Hall


@pytest.fixture(scope="session")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder = tmp_path_factory.mktemp("hall")
    found = Hall(f"sqlite:///{folder}/hall.db", folder)
    yield found
    found.office.store.close()
