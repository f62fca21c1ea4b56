"""An auditor's page: a case executed again at the press of a button, and its package one link away."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from engine import deadlines
from tests.district import District, make_district


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    found = make_district(tmp_path_factory.mktemp("district"))
    yield found
    found.app.state.store.close()


@pytest.fixture(scope="module")
def case(district: District) -> str:
    """A registration that has been taken in."""
    intake = district.client("intake")
    case_id, task_id = district.start(intake)
    answered = intake.post(f"/api/tasks/{task_id}/complete", json={"answers": district.answers(intake, task_id)})
    assert answered.status_code == 200, answered.text
    return case_id


def token(page: str) -> dict[str, str]:
    found = re.search(r'name="_csrf" value="([^"]+)"', page)
    return {"_csrf": found[1] if found else ""}


def test_the_button_shows_that_history_is_what_the_program_does(district: District, case: str) -> None:
    auditor = district.browser("audit")
    page = auditor.get(f"/cases/{case}/history").text
    assert "重演核对" in page
    assert f'href="/api/process-instances/{case}/package"' in page
    told = auditor.post(f"/cases/{case}/replay", data=token(page)).text
    assert "一致：重新执行了 2 次输入" in told
    assert auditor.get(f"/api/process-instances/{case}/package").headers["content-type"] == "application/zip"


def test_a_difference_is_shown_with_its_event_and_both_values(
    district: District, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = district.browser("audit")
    form = token(auditor.get(f"/cases/{case}/history").text)
    monkeypatch.setattr(deadlines, "allowed", lambda kind, item: (99, "hours"))
    told = auditor.post(f"/cases/{case}/replay", data=form).text
    assert "不一致，首个差异在第" in told
    assert re.search(r'history\?after=\d+#e\d+"', told)
    assert "<ins>" in told


def test_only_an_auditor_has_the_button_and_only_with_the_forms_token(district: District, case: str) -> None:
    clerk, auditor = district.browser("intake"), district.browser("audit")
    assert "重演核对" not in clerk.get(f"/cases/{case}/history").text
    assert clerk.post(f"/cases/{case}/replay", data=token(clerk.get(f"/cases/{case}").text)).status_code == 403
    assert auditor.post(f"/cases/{case}/replay", data={"_csrf": "x"}).status_code == 403
