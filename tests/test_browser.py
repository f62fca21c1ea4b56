"""The screens in a real browser: keyboard, diagram, hidden fields, phones, and no request to another host."""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.district import ITEM, PASSWORD, PERMIT, District, make_district
from tests.test_returning_pages import hire_inspectors, inspected

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None and os.environ.get("CI") != "true", reason="no chromium on this machine"),
]
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    found = make_district(tmp_path_factory.mktemp("browser"))
    hire_inspectors(found)
    yield found
    found.app.state.store.close()


@pytest.fixture(scope="module")
def address(district: District) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(district.app, port=0, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, address: str) -> Iterator[Open]:
    """Opens a logged-in page; at the end no page may have complained or asked another host for anything."""
    faults: list[str] = []
    contexts: list[Any] = []

    def opened(name: str, path: str, *, size: Any = DESKTOP, script: bool = True) -> Page:
        context = chromium.new_context(viewport=size, locale="zh-CN", java_script_enabled=script, base_url=address)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("request", lambda sent: None if _own(sent.url, address) else faults.append(sent.url))
        page.goto(f"/login?back={path}")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.click("button.primary")
        page.wait_for_load_state("networkidle")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _own(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:"))


def test_a_clerk_starts_fills_and_submits_by_hand(district: District, open_page: Open) -> None:
    page = open_page("intake", "/new")
    page.locator(f"form[action='/new/{PERMIT}'] button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("登记申请")
    page.get_by_role("button", name="提交").click()
    errors = page.locator("#errors")
    expect(errors).to_be_focused()
    first = errors.locator("a").first
    anchor = first.get_attribute("href")
    first.click()
    expect(page.locator(f"[id='{anchor[1:]}']" if anchor else "#none")).to_be_in_viewport()


def test_j_k_and_enter_walk_through_the_worklist(district: District, open_page: Open) -> None:
    client = district.client("intake")
    for _ in range(3):
        district.start(client)
    page = open_page("intake", "/tasks")
    rows = page.locator("a.row")
    page.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/tasks/[0-9a-f-]{36}"))


def test_the_diagram_shows_where_the_case_stands(district: District, open_page: Open) -> None:
    client = district.client("intake")
    case_id, task_id = district.start(client, PERMIT)
    page = open_page("intake", f"/cases/{case_id}")
    page.wait_for_selector("#diagram[data-ready=yes]")
    expect(page.locator(".djs-shape.sanwei-now")).to_have_count(1)
    expect(page.locator(".djs-shape.sanwei-now[data-element-id=register_application]")).to_have_count(1)
    assert page.locator(".bjs-powered-by").is_visible()
    done = client.post(f"/api/tasks/{task_id}/complete", json={"answers": district.answers(client, task_id)})
    assert done.status_code == 200
    page.reload()
    page.wait_for_selector("#diagram[data-ready=yes]")
    page.locator(f".chips a[href*='process={PERMIT}']").click()
    page.wait_for_selector("#diagram[data-ready=yes]")
    expect(page.locator("[data-element-id=register_application].sanwei-past")).to_have_count(1)
    assert page.locator(".djs-connection.sanwei-past").count() >= 1


def test_a_step_is_returned_and_taken_back_by_hand(district: District, open_page: Open) -> None:
    case_id, first, _ = inspected(district)
    page = open_page("first", f"/cases/{case_id}")
    page.get_by_role("button", name="撤回我的办结").click()
    expect(page.locator(".notice.good")).to_contain_text("已撤回")
    expect(page.locator("[name=officer_name]")).to_have_value("演示核查员甲")
    page.get_by_role("button", name="提交").click()
    expect(page.locator(".notice.good")).to_contain_text("已提交")
    task_id = district.client("second").get(f"/api/process-instances/{case_id}").json()["tasks"][-1]["id"]
    assert task_id != first
    page = open_page("second", f"/tasks/{task_id}")
    page.locator("#return summary").click()
    page.fill("#return-reason", "操作区面积与图纸不符，请复量")
    page.get_by_role("button", name="确认退回").click()
    expect(page.locator(".notice.good")).to_contain_text("已退回")
    page.wait_for_selector("#diagram[data-ready=yes]")
    expect(page.locator(".djs-shape.sanwei-now[data-element-id=inspect]")).to_have_count(1)
    expect(page.locator(".sanwei-now[data-element-id=confirm_inspection]")).to_have_count(0)
    page = open_page("first", f"/cases/{case_id}")
    page.get_by_role("link", name="现场核查记录").first.click()
    expect(page.locator("#returned")).to_contain_text("操作区面积与图纸不符，请复量")


def test_fields_of_another_answer_step_aside_and_come_back(district: District, open_page: Open) -> None:
    _, task_id = district.start(district.client("intake"), PERMIT)
    page = open_page("intake", f"/tasks/{task_id}")
    address = page.locator("[data-when='delivery.method|post']").first
    expect(address).to_be_hidden()
    page.check("[name='delivery.method'][value=post]")
    expect(address).to_be_visible()
    address.locator("input").fill("某人")
    page.check("[name='delivery.method'][value=window]")
    expect(address).to_be_visible()


def test_enter_in_a_text_field_keeps_a_draft_and_never_submits(district: District, open_page: Open) -> None:
    _, task_id = district.start(district.client("intake"), PERMIT)
    page = open_page("intake", f"/tasks/{task_id}")
    page.fill("[name='applicant.name']", "某店")
    page.press("[name='applicant.name']", "Enter")
    expect(page.locator(".notice.good")).to_contain_text("草稿已保存")
    expect(page.locator("[name='applicant.name']")).to_have_value("某店")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_page_is_wider_than_its_screen(district: District, open_page: Open, size: Any) -> None:
    case_id, task_id = district.start(district.client("intake"), PERMIT)
    page = open_page("intake", "/tasks", size=size)
    for path in (
        "/tasks",
        f"/tasks/{task_id}",
        f"/cases/{case_id}",
        "/cases",
        "/new",
        "/processes",
        f"/processes/{ITEM}",
    ):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, path


def test_rows_are_added_and_removed_without_javascript(district: District, open_page: Open) -> None:
    _, task_id = district.start(district.client("intake"), PERMIT)
    page = open_page("intake", f"/tasks/{task_id}", script=False)
    page.fill("[name='applicant.name']", "某店")
    add = page.locator("button[value^='add:']").first
    path = (add.get_attribute("value") or "").removeprefix("add:")
    before = page.locator(f"button[value^='remove:{path}.']").count()
    add.click()
    expect(page.locator(f"button[value^='remove:{path}.']")).to_have_count(before + 1)
    expect(page.locator("[name='applicant.name']")).to_have_value("某店")
    page.locator(f"button[value^='remove:{path}.']").first.click()
    expect(page.locator(f"button[value^='remove:{path}.']")).to_have_count(before)


def test_every_field_has_a_name_for_those_who_do_not_see_it(district: District, open_page: Open) -> None:
    _, task_id = district.start(district.client("intake"), PERMIT)
    page = open_page("intake", f"/tasks/{task_id}")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]
            .filter(e => !e.labels.length || !e.labels[0].textContent.trim()).map(e => e.name)"""
    )
    assert nameless == []
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_a_task_is_handed_on_by_keyboard_and_phone(district: District, open_page: Open, size: Any) -> None:
    _, task = district.start(client := district.client("intake"))
    client.post(f"/api/tasks/{task}/claim")
    page = open_page("intake", f"/tasks/{task}", size=size)
    page.locator("#hand > summary").focus()
    page.keyboard.press("Enter")
    page.locator("#hand-to").select_option(index=1)
    page.locator("#hand").get_by_label("原因").fill("轮班")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="委托", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("已委托")
    expect(page.get_by_text("委托中")).to_be_visible()
    expect(page.get_by_role("button", name="收回委托")).to_be_visible()
    other = open_page("intake2", f"/tasks/{task}", size=size)
    expect(other.get_by_role("button", name="交回委托人", exact=True)).to_be_visible()
    other.get_by_text("填写批注").first.click()
    other.get_by_label("填写批注").fill("已看过")
    other.get_by_role("button", name="保存批注").click()
    expect(other.locator("#comments")).to_contain_text("已看过")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_people_are_asked_to_sign_by_keyboard_and_phone(district: District, open_page: Open, size: Any) -> None:
    _, task = district.start(client := district.client("intake"))
    client.post(f"/api/tasks/{task}/claim")
    page = open_page("intake", f"/tasks/{task}", size=size)
    card = page.locator("#signing")
    card.locator("details > summary").focus()
    page.keyboard.press("Enter")
    card.get_by_role("searchbox").fill("测试examiner")
    page.keyboard.press("Enter")
    card.get_by_label("测试examiner").check()
    card.get_by_label("原因").fill("请把关")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    card.get_by_role("button", name="请加签").click()
    expect(page.get_by_role("status")).to_contain_text("已请加签")
    signer = open_page("examiner", "/tasks?view=mine", size=size)
    signer.locator("a.row").first.click()
    signer.get_by_label("不同意").check()
    signer.get_by_label("意见").fill("缺少平面图")
    signer.get_by_role("button", name="提交").click()
    page.goto(f"/tasks/{task}")
    expect(card).to_contain_text("缺少平面图")
    expect(page.get_by_role("button", name="提交", exact=True)).to_be_visible()
