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


def test_signers_are_searched_asked_shown_and_removed(district: District) -> None:
    case, task = held(district)
    mine, page = district.browser("intake"), f"/tasks/{task}"
    assert "测试examiner" not in mine.get(page).text
    found = mine.get(f"{page}?who=测试examiner").text
    account = re.search(r'name="account" value="([0-9a-f-]{36})"> 测试examiner', found)
    assert account
    sent = post(mine, page, f"{page}/add-signer", account=account[1], kind="before", quorum="", reason="把关")
    assert (sent.status_code, sent.headers["location"]) == (303, f"{page}?said=signers#signing")
    shown = mine.get(page).text
    assert "加签人尚未全部签署意见" in shown
    assert "待签署" in shown
    signer = district.browser("examiner")
    address = re.search(r'href="(/tasks/[0-9a-f-]{36})"', signer.get("/tasks?view=mine").text)
    assert address
    theirs = signer.get(address[1]).text
    assert "前加签" in theirs
    assert "是否同意" in theirs
    assert "请您签署意见。<br>把关" in theirs
    refused = post(signer, address[1], address[1], _do="complete", position="disagree")
    assert refused.status_code == 422
    done = post(signer, address[1], address[1], _do="complete", position="disagree", opinion="<i>缺图</i>")
    assert done.status_code == 303
    shown = mine.get(page).text
    assert "&lt;i&gt;缺图&lt;/i&gt;" in shown
    assert "签署意见</" in shown
    assert 'value="complete"' in shown
    post(mine, page, f"{page}/add-signer", account=account[1], kind="after")
    assert "提交后签署" in mine.get(page).text
    gone = post(mine, page, f"{page}/remove-signer", account=account[1])
    assert gone.headers["location"] == f"{page}?said=unasked#signing"
    assert "提交后签署" not in mine.get(page).text
    assert signer.get(f"/cases/{case}").status_code == 200


@pytest.mark.parametrize("fields", [{}, {"account": "x"}, {"kind": "before", "quorum": "two"}])
def test_a_form_that_asks_nobody_is_refused_in_words(district: District, fields: dict[str, str]) -> None:
    _, task = held(district)
    answer = post(district.browser("intake"), f"/tasks/{task}", f"/tasks/{task}/add-signer", **fields)
    assert answer.status_code == 422
    assert "<h1" in answer.text
