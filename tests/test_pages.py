"""The screens without JavaScript, over the real store: what a clerk sees, sends, and is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from api.pages import screen, texts, told
from api.pages.conditions import conditions
from api.pages.labels import sections
from tests.district import ITEM, PASSWORD, PERMIT, District, TestClient, make_district
from tests.posting import Form, flat


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    found = make_district(tmp_path_factory.mktemp("pages"))
    yield found
    found.app.state.store.close()


@pytest.fixture
def clerk(district: District) -> TestClient:
    return district.browser("intake")


def started(clerk: TestClient, key: str = ITEM) -> str:
    """Start a case by its page; the address of its first task."""
    fields = dict(Form(clerk.get("/new").text, f"/new/{key}").pairs)
    answer = clerk.post(f"/new/{key}", data=fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).partition("?")[0]


def post(clerk: TestClient, address: str, pairs: list[tuple[str, str]], do: str, **more: Any) -> Any:
    fields: dict[str, list[str]] = {}
    for name, value in [*pairs, ("_do", do)]:
        fields.setdefault(name, []).append(value)
    return clerk.post(address, data=fields, **more)


def steering(page: str) -> list[tuple[str, str]]:
    return [pair for pair in Form(page).pairs if pair[0].startswith("_")]


def test_who_is_not_logged_in_comes_back_to_the_wanted_page_after_logging_in(district: District) -> None:
    client = TestClient(district.app, follow_redirects=False)
    sent = client.get("/cases?q=a")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?back=/cases%3Fq%3Da")
    page = client.get(sent.headers["location"]).text
    fields = dict(Form(page, "/login").pairs) | {"name": "intake", "password": PASSWORD}
    assert client.post("/login", data=fields).headers["location"] == "/cases?q=a"
    assert client.get("/cases?q=a").status_code == 200


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example", "x", "", "/a\nb"])
def test_log_in_leads_to_no_other_host(path: str) -> None:
    assert screen.local_path(path) == "/"


def test_a_wrong_password_is_told_in_words_and_the_name_kept(district: District) -> None:
    client = TestClient(district.app)
    answer = client.post("/login", data={"name": "reviewer", "password": "wrong", "_back": "/"})
    assert answer.status_code == 401
    assert "账号或密码不正确" in answer.text
    assert 'value="reviewer"' in answer.text


def test_a_form_without_the_sessions_token_changes_nothing(clerk: TestClient) -> None:
    assert clerk.post(f"/new/{ITEM}", data={}).status_code == 403
    assert clerk.post(f"/new/{ITEM}", data={"_csrf": "wrong"}).status_code == 403
    assert clerk.post("/logout", data={"_csrf": "业务"}).status_code == 403


def test_the_worklist_claims_gives_back_and_offers_the_next(district: District, clerk: TestClient) -> None:
    address = started(clerk)
    page = clerk.get("/tasks").text
    assert "登记申请" in page
    claimed = clerk.post(f"{address}/claim", data=dict(Form(page, f"{address}/claim").pairs))
    assert claimed.headers["location"] == f"{address}?said=claimed"
    assert address in clerk.get("/tasks?view=mine").text
    page = clerk.get(address).text
    assert clerk.post(f"{address}/release", data=dict(Form(page, f"{address}/release").pairs)).status_code == 303
    fields = dict(Form(clerk.get("/tasks").text, "/tasks/next").pairs)
    following = clerk.post("/tasks/next", data=fields).headers["location"]
    assert re.fullmatch(r"/tasks/[0-9a-f-]{36}\?said=claimed", following)


def test_a_colleague_who_was_first_is_named_with_the_time(district: District, clerk: TestClient) -> None:
    address = started(clerk)
    colleague = district.browser("intake2")
    pages = {who: steering(who.get(address).text) for who in (clerk, colleague)}
    assert clerk.post(f"{address}/claim", data=dict(pages[clerk])).status_code == 303
    late = colleague.post(f"{address}/claim", data=dict(pages[colleague]))
    assert late.status_code == 409
    assert "测试intake" in late.text
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d", late.text)


def test_who_was_too_late_sees_by_whom_and_still_has_what_was_typed(district: District, clerk: TestClient) -> None:
    address = started(clerk)
    typed = [*steering(clerk.get(address).text), ("business_name", "慢了一步的店")]
    district.client("intake2").post(f"/api{address}/claim")
    late = post(clerk, address, typed, "complete")
    assert late.status_code == 409
    assert "测试intake2" in late.text
    assert "慢了一步的店" in late.text
    assert "没有提交" in late.text


def test_what_was_submitted_is_one_link_away(district: District, clerk: TestClient) -> None:
    address = started(clerk)
    answers = district.answers(district.client("intake"), address.rpartition("/")[2])
    sent = post(clerk, address, [*steering(clerk.get(address).text), *flat(answers)], "complete")
    page = clerk.get(sent.headers["location"]).text
    case = re.search(r'href="(/cases/[0-9a-f-]{36})"[^>]*>查看办件和文书', page)
    assert case
    assert clerk.get(case[1]).status_code == 200


def test_the_whole_record_shows_every_event_with_old_and_new_values(district: District, clerk: TestClient) -> None:
    case_id, task_id = district.start(district.client("intake"))
    answers = district.answers(district.client("intake"), task_id)
    district.client("intake").post(f"/api/tasks/{task_id}/complete", json={"answers": answers})
    page = clerk.get(f"/cases/{case_id}/history").text
    events = district.client("intake").get(f"/api/process-instances/{case_id}/history").json()["items"]
    assert page.count("<tr id=") + page.count('<tr class="input"') == len(events)
    assert events[-1]["hash"] in page
    assert "写入数据" in page
    assert answers["business_name"] in page
    assert clerk.get(f"/cases/{case_id}/history?after={len(events)}").status_code == 200
    assert district.browser("elsewhere").get(f"/cases/{case_id}/history").status_code == 404


def test_an_empty_form_comes_back_with_every_error_beside_its_field(clerk: TestClient) -> None:
    address = started(clerk)
    answer = post(clerk, address, steering(clerk.get(address).text), "complete")
    assert answer.status_code == 422
    page = answer.text
    anchors = re.findall(r'<li><a href="#([^"]+)">', page)
    assert len(anchors) > 3
    for anchor in anchors:
        assert f'id="{anchor}"' in page
    described = set(re.findall(r'aria-describedby="([^"]+)"', page))
    for one in described:
        assert all(f'id="{part}"' in page for part in one.split())
    assert page.count('aria-invalid="true"') > 3


def test_what_was_typed_survives_an_error_and_a_new_row(district: District, clerk: TestClient) -> None:
    address = started(clerk, PERMIT)
    pairs = [*Form(clerk.get(address).text).pairs, ("applicant.name", "荔湾区<示例>店")]
    refused = post(clerk, address, pairs, "complete")
    assert ("applicant.name", "荔湾区<示例>店") in Form(refused.text).pairs
    add = next(button for button in Form(refused.text).buttons if button.startswith("add:"))
    more = post(clerk, address, Form(refused.text).pairs, add)
    assert more.status_code == 200
    assert ("applicant.name", "荔湾区<示例>店") in Form(more.text).pairs
    rows = [b for b in Form(more.text).buttons if b.startswith("remove:" + add[4:])]
    assert len(rows) >= 1
    twice = post(clerk, address, Form(more.text).pairs, add)
    assert len([b for b in Form(twice.text).buttons if b.startswith("remove:" + add[4:])]) == len(rows) + 1
    fewer = post(clerk, address, Form(more.text).pairs, rows[-1])
    assert len([b for b in Form(fewer.text).buttons if b.startswith("remove:" + add[4:])]) == len(rows) - 1


def test_a_draft_fills_the_form_again_for_its_author_only(district: District, clerk: TestClient) -> None:
    address = started(clerk, PERMIT)
    kept = post(clerk, address, [*steering(clerk.get(address).text), ("applicant.name", "草稿店")], "draft")
    assert kept.headers["location"] == f"{address}?said=draft"
    assert ("applicant.name", "草稿店") in Form(clerk.get(address).text).pairs
    assert "草稿店" not in district.browser("intake2").get(address).text


def test_a_case_goes_from_the_form_to_the_next_post_and_two_presses_submit_once(
    district: District, clerk: TestClient
) -> None:
    address = started(clerk, PERMIT)
    answers = district.answers(district.client("intake"), address.rpartition("/")[2])
    pairs = [*steering(clerk.get(address).text), *flat(answers)]
    first = post(clerk, address, pairs, "complete")
    assert first.status_code == 303, re.findall(r'<li><a href="#([^<]+)</a>', first.text)
    second = post(clerk, address, pairs, "complete")
    assert (second.status_code, second.headers["location"]) == (303, first.headers["location"])
    anew = post(clerk, address, [*steering(clerk.get("/tasks").text), *steering(second.text), *pairs[:1]], "complete")
    assert anew.status_code in {409, 422}
    assert "已提交" in clerk.get(first.headers["location"]).text
    closed = clerk.get(address).text
    assert "测试intake" in closed
    assert "complete" not in Form(closed).buttons


def test_a_file_is_uploaded_with_the_form_and_kept_through_an_error(district: District, clerk: TestClient) -> None:
    address = started(clerk, PERMIT)
    page = clerk.get(address).text
    field = Form(page).files[0]
    file = {field: ("证明.pdf", b"%PDF", "application/pdf")}
    refused = post(clerk, address, steering(page), "complete", files=file)
    assert refused.status_code == 422
    kept = [value for name, value in Form(refused.text).pairs if name == field]
    assert re.fullmatch("sha256:[0-9a-f]{64}", kept[0])
    assert clerk.get(f"/attachments/{kept[0]}").content == b"%PDF"


def test_the_case_page_tells_where_it_stands_in_the_forms_words(district: District, clerk: TestClient) -> None:
    address = started(clerk, PERMIT)
    answers = district.answers(district.client("intake"), address.rpartition("/")[2])
    assert post(clerk, address, [*steering(clerk.get(address).text), *flat(answers)], "complete").status_code == 303
    page = clerk.get(clerk.get(address).text.partition('class="crumb"><a href="')[2].partition('"')[0]).text
    assert answers["applicant"]["name"] in page
    assert "申请人" in page
    assert "applicant" not in re.sub(r'href="[^"]*"|data-[a-z]+="[^"]*"', "", page)
    assert "当前位置" in page
    assert "登记申请 · 办结" in page


def test_a_withdrawal_needs_a_reason_and_ends_the_case(district: District, clerk: TestClient) -> None:
    address = started(clerk, PERMIT)
    answers = district.answers(district.client("intake"), address.rpartition("/")[2])
    post(clerk, address, [*steering(clerk.get(address).text), *flat(answers)], "complete")
    case = clerk.get(address).text.partition('class="crumb"><a href="')[2].partition('"')[0]
    fields = dict(Form(clerk.get(case).text, f"{case}/withdraw").pairs)
    assert clerk.post(f"{case}/withdraw", data={**fields, "reason": " "}).status_code == 422
    assert clerk.post(f"{case}/withdraw", data={**fields, "reason": "不办了"}).status_code == 303
    page = clerk.get(case).text
    assert "撤回" in page
    assert f"{case}/withdraw" not in page


def test_cases_are_found_by_business_key(district: District, clerk: TestClient) -> None:
    api = district.client("intake")
    case_id, _ = district.start(api)
    key = api.get(f"/api/process-instances/{case_id}").json()["business_key"]
    assert f"/cases/{case_id}" in clerk.get("/cases", params={"q": key}).text
    assert f"/cases/{case_id}" not in clerk.get("/cases", params={"q": "none such"}).text
    assert f"/cases/{case_id}" not in clerk.get("/cases", params={"status": "ended"}).text


def test_items_are_found_by_name_and_only_those_one_may_start(district: District, clerk: TestClient) -> None:
    assert f"/new/{ITEM}" in clerk.get("/new", params={"q": "个体工商户"}).text
    assert f"/new/{ITEM}" not in clerk.get("/new", params={"q": "食品"}).text
    assert f"/new/{ITEM}" not in district.browser("elsewhere").get("/new").text


def test_processes_and_problems_have_pages(clerk: TestClient) -> None:
    assert f"/processes/{PERMIT}" in clerk.get("/processes").text
    page = clerk.get(f"/processes/{PERMIT}").text
    assert f"/api/process-definitions/{PERMIT}/xml" in page
    missing = clerk.get("/processes/none")
    assert (missing.status_code, "没有找到" in missing.text) == (404, True)
    assert clerk.get("/nothing").status_code == 404


def test_without_the_bundle_the_page_says_so_and_tells_the_positions(
    clerk: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "bundle", lambda: None)
    address = started(clerk)
    page = clerk.get(address).text
    assert "图形组件尚未构建" in page
    assert 'class="plain places"' in page


def test_the_language_is_switched_by_a_cookie_and_back(clerk: TestClient) -> None:
    assert '<html lang="zh-CN">' in clerk.get("/tasks").text
    clerk.get("/language/en?back=/tasks")
    page = clerk.get("/tasks").text
    assert '<html lang="en">' in page
    assert "Next one, please" in page
    assert clerk.get("/language/fr").status_code == 404
    clerk.get("/language/zh")
    assert "办理下一件" in clerk.get("/tasks").text


def test_pages_hold_no_script_of_their_own_and_name_no_other_host(clerk: TestClient) -> None:
    address = started(clerk)
    for path in ("/tasks", address, "/cases", "/new", "/processes", f"/processes/{PERMIT}"):
        page = clerk.get(path).text
        assert not re.findall(r"<script(?![^>]* src=\"/static/)", page)
        assert not re.findall(r" on[a-z]+=", page)
        assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", page)
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids)), path


@pytest.mark.parametrize("path", ["/tasks?after=nonsense", "/cases?after=nonsense", "/tasks/x", "/cases/x?process=%00"])
def test_nonsense_addresses_are_told_in_words(clerk: TestClient, path: str) -> None:
    answer = clerk.get(path)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "fields", [{"_do": "add:" + "a." * 50}, {"_do": "remove:rows"}, {"_do": "nonsense"}, {"a\0": "b"}, {"x": "\0"}]
)
def test_nonsense_forms_are_told_in_words(clerk: TestClient, fields: dict[str, str]) -> None:
    address = started(clerk)
    answer = clerk.post(address, data={**dict(steering(clerk.get(address).text)), **fields})
    assert answer.status_code in {200, 422}, answer.text


def test_midnight_is_shown_as_the_day_that_ends() -> None:
    assert screen.day(datetime(2026, 10, 11, 16, tzinfo=UTC)) == "2026-10-11"
    assert screen.day(datetime(2026, 10, 11, 2, tzinfo=UTC)) == "2026-10-11 10:00"
    assert screen.when(datetime(2026, 10, 11, 16, 30, tzinfo=UTC)) == "2026-10-12 00:30"


def test_every_word_is_there_in_both_languages() -> None:
    tables = (texts._WORDS, told._EVENTS, told._CHAINED, told._DRAWN)
    for table in tables:
        for key, (zh, en) in table.items():
            assert zh, key
            assert en, key
    for key in ("green", "yellow", "red", "off"):
        assert texts.words("zh")(f"lamp.{key}")


def test_variables_are_labelled_by_their_forms_and_nothing_else_is_shown() -> None:
    schema = {
        "title": "申请",
        "properties": {
            "kind": {"title": "类别", "enum": ["a"], "x-labels": {"a": "甲"}, "x-labels-en": {"a": "A"}},
            "yes": {"title": "同意", "type": "boolean"},
            "file": {"title": "证明", "format": "attachment"},
            "who": {"title": "申请人", "properties": {"name": {"title": "名称"}}},
            "rows": {"title": "清单", "items": {"properties": {"n": {"title": "数量"}, "m": {"title": "备注"}}}},
            "empty": {"title": "空"},
        },
    }
    digest = "sha256:" + "0" * 64
    value = {"kind": "a", "yes": False, "file": digest, "who": {"name": "某店"}, "rows": [{"n": 2}], "secret": "x"}
    outer, inner, rest = sections({"application": value, "raw": {"x": 1}}, {"application": schema}, "zh")
    assert (outer.title, outer.inner, inner.title, inner.inner) == ("申请", False, "申请人", True)
    assert (rest.title, rest.inner) == ("", True)
    assert [(line.label, line.shown.text) for line in outer.lines[:2]] == [("类别", "甲"), ("同意", "否")]
    assert outer.lines[2].shown.file == digest
    assert (rest.lines[0].heads, rest.lines[0].rows[0][0].text) == (("数量",), "2")
    assert [line.shown.text for line in inner.lines] == ["某店"]


def test_a_field_that_only_one_answer_asks_for_carries_its_condition() -> None:
    schema = {
        "required": ["how"],
        "properties": {
            "how": {"enum": ["post", "window"]},
            "address": {},
            "both": {},
            "rows": {
                "items": {
                    "properties": {"ok": {}, "why": {}},
                    "if": {"properties": {"ok": {"const": False}}},
                    "then": {"required": ["why"]},
                }
            },
        },
        "allOf": [
            {"if": {"properties": {"how": {"const": "post"}}}, "then": {"required": ["address", "both"]}},
            {"if": {"properties": {"rows": {"const": "x"}}}, "then": {"required": ["both"]}},
        ],
    }
    when = conditions(schema)
    assert when("address") == ' data-when="how|post"'
    assert when("rows.3.why") == ' data-when="rows.3.ok|false"'
    assert when("both") == when("how") == ""
