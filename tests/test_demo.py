"""The demonstration drives real cases over HTTP to their ends, each step by the post it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api import server
from api.accounts import DEMO_PASSWORD, demo_accounts
from api.cli import prepare
from api.demo import Desk, District, Refused, Summary, drive


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server.running(prepare(tmp_path_factory.mktemp("district"))) as found:
        yield found


def driven(address: str, cases: int, seed: int) -> Summary:
    with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
        return drive(District(client, demo_accounts(), DEMO_PASSWORD), cases=cases, seed=seed)


def test_every_case_of_the_demonstration_comes_to_an_end_event(address: str) -> None:
    summary = driven(address, 8, 3)
    assert summary.unfinished == []
    assert sum(summary.outcomes.values()) == 8
    assert len({item for item, _ in summary.outcomes}) == 2
    assert summary.tasks > 16


def test_a_refusal_is_raised_with_its_code_and_never_with_what_was_sent(address: str) -> None:
    with httpx.Client(base_url=address, trust_env=False) as client:
        desk = Desk(client, demo_accounts()[0], DEMO_PASSWORD)
        with pytest.raises(Refused, match="404") as refused:
            desk.post("/api/process-definitions/no_such_process/instances", {"variables": {"secret": "planted"}})
        assert refused.value.code == "not_found"
        assert "planted" not in str(refused.value)


def test_a_desk_whose_session_has_run_out_logs_in_again(address: str) -> None:
    with httpx.Client(base_url=address, trust_env=False) as client:
        desk = Desk(client, demo_accounts()[0], DEMO_PASSWORD)
        desk.get("/api/tasks")
        desk._token = "expired"
        assert "items" in desk.get("/api/tasks")


@pytest.mark.soak
def test_two_hundred_cases_end_and_show_every_outcome(tmp_path: Path) -> None:
    with server.running(prepare(tmp_path)) as address:
        summary = driven(address, 200, 1)
    assert summary.unfinished == []
    assert {outcome for _, outcome in summary.outcomes} >= {"granted", "denied", "not_accepted", "withdrawn", "lapsed"}
    assert summary.refusals["same_actor_not_allowed"] > 0
