"""Returning and taking back on the screens: the controls, the reason before the one who gets it, and the diagram."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from engine import commands as c
from engine.model import SYSTEM, Membership
from tests.district import DEPARTMENT, PASSWORD, PERMIT, District, TestClient, make_district
from tests.processes import answers as a

INSPECTORS = {"first": "测试核查员甲", "second": "测试核查员乙"}


def hire_inspectors(district: District) -> None:
    """Two people who inspect."""
    post = Membership(role="inspector", scope=DEPARTMENT, unit=DEPARTMENT, post="inspector")
    for name, shown in INSPECTORS.items():
        c.create_account(district.office, SYSTEM, name=name, display_name=shown, password=PASSWORD, memberships=(post,))


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    found = make_district(tmp_path_factory.mktemp("returning"))
    hire_inspectors(found)
    yield found
    found.app.state.store.close()


def inspected(district: District) -> tuple[str, str, str]:
    """A case whose inspection the first inspector has recorded: case, that task, the confirmation."""
    clerk, reviewer, first = (district.client(name) for name in ("intake", "reviewer", "first"))
    case, task = district.start(clerk, PERMIT)
    given: list[tuple[TestClient, dict[str, Any]]] = [(clerk, a.food_application()), (reviewer, a.COMPLETE)]
    for client, answers in given:
        task = client.post(f"/api/tasks/{task}/complete", json={"answers": answers}).json()["tasks"][0]["id"]
    points = first.get(f"/api/tasks/{task}").json()["variables"]["inspection_points"]
    done = first.post(f"/api/tasks/{task}/complete", json={"answers": a.inspection(points)}).json()
    return case, task, done["tasks"][0]["id"]


def csrf(page: str) -> str:
    return re.search(r'name="_csrf" value="([^"]+)"', page)[1]  # type: ignore[index]


def test_a_task_is_returned_by_its_page_and_the_reason_is_read_on_the_next(district: District) -> None:
    case, _, task = inspected(district)
    second = district.browser("second")
    page = second.get(f"/tasks/{task}").text
    assert f'action="/tasks/{task}/return"' in page
    assert 'value="inspect" required checked> 现场核查记录' in page
    sent = {"_csrf": csrf(page), "_once": "k1", "target": "inspect", "reason": "面积<记录>有误"}
    moved = second.post(f"/tasks/{task}/return", data=sent)
    assert moved.headers["location"] == f"/cases/{case}?said=returned"
    shown = second.get(moved.headers["location"]).text
    assert "已退回" in shown
    assert "退回原因: 面积&lt;记录&gt;有误" in shown
    first = district.browser("first")
    again = re.search(r'href="/tasks/([0-9a-f-]{36})"', first.get(f"/cases/{case}").text)[1]  # type: ignore[index]
    page = first.get(f"/tasks/{again}").text
    assert "由 测试核查员乙 从「第二核查人确认」退回" in page
    assert "面积&lt;记录&gt;有误" in page
    closed = second.get(f"/tasks/{task}").text
    assert "/return" not in closed


@pytest.mark.parametrize("sent", [{"target": "inspect", "reason": " "}, {"target": "", "reason": "有误"}])
def test_a_return_without_target_or_reason_is_told_so(district: District, sent: dict[str, str]) -> None:
    _, _, task = inspected(district)
    second = district.browser("second")
    answer = second.post(f"/tasks/{task}/return", data={**sent, "_csrf": csrf(second.get(f"/tasks/{task}").text)})
    assert answer.status_code == 422
    assert district.client("second").get(f"/api/tasks/{task}").json()["task"]["status"] == "open"


def test_who_has_just_completed_takes_it_back_from_the_worklist_and_finds_what_was_typed(district: District) -> None:
    case, task, _ = inspected(district)
    first = district.browser("first")
    page = first.get(f"/tasks?said=completed:1144-1&case={case}").text
    assert f'action="/tasks/{task}/recall"' in page
    assert f'action="/tasks/{task}/recall"' in first.get(f"/cases/{case}").text
    assert "/recall" not in district.browser("second").get(f"/tasks?said=completed:1144-1&case={case}").text
    moved = first.post(f"/tasks/{task}/recall", data={"_csrf": csrf(page), "_once": "k2"})
    shown = first.get(moved.headers["location"]).text
    assert "已撤回" in shown
    assert 'value="演示核查员甲"' in shown
    assert 'value="complete"' in shown, "who cancelled the next step by taking this back has not done that step"
    assert "/recall" not in shown
    assert "撤回办结" in first.get(f"/cases/{case}").text


def test_what_another_has_taken_up_offers_no_recall(district: District) -> None:
    case, task, confirm = inspected(district)
    district.client("second").post(f"/api/tasks/{confirm}/claim")
    first = district.browser("first")
    page = first.get(f"/cases/{case}").text
    assert "/recall" not in page
    refused = district.client("first").post(f"/api/tasks/{task}/recall")
    assert (refused.status_code, refused.json()["code"]) == (409, "task_claimed")
    assert refused.json()["facts"]["by"] == INSPECTORS["second"]


def test_a_case_that_one_may_not_see_offers_nothing_on_the_worklist(district: District) -> None:
    case, _, _ = inspected(district)
    page = district.browser("elsewhere").get(f"/tasks?said=completed:1144-1&case={case}")
    assert page.status_code == 200
    assert "/recall" not in page.text


@pytest.mark.parametrize(
    "body", [{}, {"target": "inspect"}, {"target": "inspect", "reason": ""}, {"target": 1, "reason": "x"}]
)
def test_a_malformed_return_is_a_problem_document(district: District, body: dict[str, Any]) -> None:
    _, _, task = inspected(district)
    answer = district.client("second").post(f"/api/tasks/{task}/return", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_the_positions_told_are_where_the_machine_stands(district: District) -> None:
    case, _, task = inspected(district)
    second = district.client("second")
    second.post(f"/api/tasks/{task}/return", json={"target": "inspect", "reason": "有误"})
    told = second.get(f"/api/process-instances/{case}/positions").json()["positions"]
    assert sorted(place["element"] for place in told) == [
        f"{PERMIT}/permit",
        f"{PERMIT}/permit/inspection_step",
        "on_site_inspection/inspect",
    ]
