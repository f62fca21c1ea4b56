"""A designer who has made fifteen mistakes is told all of them at once, whichever door the files come through."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from html import unescape
from pathlib import Path

import pytest

from engine.bpmn.gate import check
from engine.commands import read_library
from engine.model import Library
from tests.district import District, make_district
from tests.gate_cases.fifteen import EXPECTED, FILES, placed

ROOT = Path(__file__).parent.parent


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    """Both designers' rooms with the bad files in them."""
    for name, content in {**read_library(ROOT).files, **FILES}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    found = make_district(tmp_path_factory.mktemp("district"))
    yield found
    found.app.state.store.close()


def sanwei(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-m", "api.cli", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def seen(findings: Iterable[Mapping[str, str]]) -> set[tuple[str, str, str]]:
    for each in findings:
        assert all(each[name] for name in ("zh", "en", "mend_zh", "mend_en", "severity")), each
    return {(*placed(each["where"]), each["rule"]) for each in findings}


def test_there_are_fifteen_and_each_is_of_another_kind() -> None:
    assert len(EXPECTED) == len({rule for _, _, rule in EXPECTED}) == 15
    found = check(Library({**read_library(ROOT).files, **FILES}))
    assert [(*placed(each.where), each.rule) for each in found if each.severity == "error"] == sorted(EXPECTED)


def test_the_command_tells_all_of_them_in_a_table_and_as_json(rooms: Path) -> None:
    told = sanwei(rooms, "check", "processes", "--json")
    assert told.returncode == 1
    assert seen(json.loads(told.stdout)) == EXPECTED
    table = sanwei(rooms, "check")
    assert table.returncode == 1
    assert "15 errors" in table.stdout
    for _, element, rule in EXPECTED:
        assert element in table.stderr
        assert rule in table.stderr
    assert "The process can stop here" in table.stderr
    assert "流程会在此停住" in table.stderr


def test_publishing_from_the_folders_tells_all_of_them_and_publishes_nothing(rooms: Path) -> None:
    assert sanwei(rooms, "migrate").returncode == 0
    refused = sanwei(rooms, "publish")
    assert refused.returncode == 1
    assert all(rule in refused.stderr for _, _, rule in EXPECTED)


def test_the_interface_tells_all_of_them_in_one_problem(district: District) -> None:
    designer = district.client("designer")
    before = designer.get("/api/process-definitions").json()
    answer = designer.post("/api/deployments", files=[("files", pair) for pair in FILES.items()])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert seen(answer.json()["findings"]) == EXPECTED
    assert designer.get("/api/process-definitions").json() == before


def test_the_designers_page_shows_all_of_them_as_a_table(district: District) -> None:
    browser = district.browser("designer")
    form = {"_csrf": csrf(browser.get("/publish").text), "_folder": "processes/services/market_regulation"}
    handed = [("files", (name.rpartition("/")[2], content)) for name, content in FILES.items()]
    answer = browser.post("/publish", data=form, files=handed)
    assert answer.status_code == 422
    rows = [unescape(row) for row in re.findall(r"<tr>(<td.*?)</tr>", answer.text, re.DOTALL)]
    assert len(rows) == 15
    for file, element, rule in EXPECTED:
        assert any(file in row and f"<code>{element}</code>" in row and rule in row for row in rows), rule


def test_the_designers_page_publishes_what_is_right_and_nobody_else_sees_it(district: District) -> None:
    browser = district.browser("designer")
    assert "/publish" in browser.get("/processes").text
    form = {"_csrf": csrf(browser.get("/publish").text), "_folder": ""}
    notice = ("ready.txt", "【荔湾政务】办理结果已可领取。".encode())
    answer = browser.post("/publish", data=form, files=[("files", notice)], follow_redirects=True)
    assert answer.status_code == 200
    assert "第" in re.findall(r'role="status">(.*?)<', answer.text)[0]
    unclear = browser.post("/publish", data=form, files=[("files", ("items.csv.json", b"{}")), ("files", ("", b""))])
    assert unclear.status_code == 422
    clerk = district.browser("intake")
    assert "/publish" not in clerk.get("/processes").text
    assert clerk.get("/publish").status_code == 403
    assert clerk.post("/publish", data={"_csrf": "x"}, files=[("files", notice)]).status_code == 403


def csrf(page: str) -> str:
    return re.findall(r'name="_csrf" value="([^"]+)"', page)[0]
