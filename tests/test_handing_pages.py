"""The pages of handing work on: what is offered to whom, posted without JavaScript, told in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.district import District, make_district


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    found = make_district(tmp_path_factory.mktemp("handing"))
    yield found
    found.app.state.store.close()


def held(district: District) -> tuple[str, str]:
    """A case whose first task the person `intake` has claimed."""
    client = district.client("intake")
    case, task = district.start(client)
    client.post(f"/api/tasks/{task}/claim")
    return case, task


def post(browser: Any, page: str, path: str, **fields: str) -> Any:
    """Post a form of a page with its hidden fields."""
    token = re.search(r'name="_csrf" value="([^"]+)"', browser.get(page).text)
    assert token
    return browser.post(path, data={"_csrf": token[1], **fields})


def choice(text: str) -> str:
    """The first account offered."""
    found = re.search(r'<option value="([0-9a-f-]{36})">', text)
    assert found
    return found[1]


def test_a_task_goes_to_a_colleague_and_back_with_answers(district: District) -> None:
    _, task = held(district)
    mine, other = district.browser("intake"), district.browser("intake2")
    page = f"/tasks/{task}"
    shown = mine.get(page).text
    assert "测试intake2" in shown
    sent = post(mine, page, f"{page}/delegate", to=choice(shown), reason="请协助")
    assert (sent.status_code, sent.headers["location"]) == (303, f"{page}?said=delegate")
    assert "收回委托" in mine.get(page).text
    assert 'value="complete"' not in mine.get(page).text
    assert "委托中 · 委托人 测试intake" in mine.get("/tasks?view=mine").text
    theirs = other.get(page).text
    assert "交回委托人" in theirs
    assert 'value="complete"' not in theirs
    refused = post(other, page, page, _do="resolve")
    assert refused.status_code == 422
    assert "处需要修改" in refused.text


def test_without_a_choice_nothing_is_handed_on(district: District) -> None:
    _, task = held(district)
    answer = post(district.browser("intake"), f"/tasks/{task}", f"/tasks/{task}/transfer", to="")
    assert answer.status_code == 422
    assert "请选择人员" in answer.text


def test_comments_and_urging_are_shown_to_the_holder(district: District) -> None:
    case, task = held(district)
    browser = district.browser("intake")
    page = f"/tasks/{task}"
    post(browser, page, f"{page}/comment", text="<b>第三页</b>不清")
    post(browser, f"/cases/{case}", f"/cases/{case}/comment", text="整件说明")
    post(browser, page, f"{page}/urge")
    again = post(browser, page, f"{page}/urge")
    assert again.status_code == 409
    assert "一小时内已催办过" in again.text
    for place in (page, f"/cases/{case}"):
        shown = browser.get(place).text
        assert "&lt;b&gt;第三页&lt;/b&gt;不清" in shown
        assert "整件说明" in shown
        assert "已催办 <time" in shown
    assert "已催办 <time" in browser.get("/tasks?view=mine").text


def test_who_may_not_hand_on_is_offered_nothing(district: District) -> None:
    _, task = held(district)
    shown = district.browser("intake2").get(f"/tasks/{task}").text
    assert 'id="hand"' not in shown
    assert "/urge" not in shown
    assert "/comment" in shown
