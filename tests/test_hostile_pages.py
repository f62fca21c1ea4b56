"""What an attacker does with the pages: forms, drafts, uploads, sessions, and scripts in every text field."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.accounts import DEMO_PASSWORD
from engine import commands as c
from tests.district import ITEM, PERMIT, TestClient
from tests.hostile import NAME, PHONE, SCRIPT, Ground, filled, refused, routes, timed
from tests.processes import answers as a
from tests.test_hostile import ground, nothing_stored_and_nothing_told, stores

__all__ = ["ground", "nothing_stored_and_nothing_told", "stores"]

DO = [
    "add:materials." + "9" * 5000 + ".x",
    "add:" + "a." * 100_000,
    "add:contact.name",
    "add:contact.name.deeper",
    "add:materials.0.code.x",
    "add:",
    "add:..",
    "remove:materials.99999",
    "remove:",
    "nonsense",
    "complete:x",
]
FIELDS: list[dict[str, Any]] = [
    {"materials." + "9" * 250 + ".code": "x"},
    {"materials.-1.code": "x"},
    {"materials.1e9.code": "x"},
    {"materials": "x", "materials.0": "x", "materials.0.code": "x"},
    {"contact": "x", "contact.name": "x"},
    {"a" + ".a" * 5_000: "x"},
    {"x" * 10_000: "x"},
    {"__proto__.x": "x", "constructor": "x"},
    {"employees": "9" * 5_000},
    {"employees": "NaN"},
    {"declared": ["on", "off", "perhaps"]},
    {f"f{n}": "x" for n in range(6_000)},
    {"contact.name": "x" * 900_000},
    {"contact.name": "a\0b"},
    {"": "x", ".": "x"},
]


def form(ground: Ground, **fields: Any) -> dict[str, Any]:
    return {"_csrf": ground.csrf("counter1"), "_once": "k", **fields}


@pytest.mark.parametrize("do", DO)
def test_senseless_buttons_are_refused_or_do_nothing(ground: Ground, do: str) -> None:
    browser, path = ground.browser("counter1"), f"/tasks/{ground.ids['task_id']}"
    sent = form(ground, _do=do, **{"materials.0.code": "M01", "contact.name": "x"})
    answer, took = timed(lambda: browser.post(path, data=sent))
    assert answer.status_code in (200, 422), answer.text[:300]
    assert answer.headers["content-type"].startswith("text/html")
    assert took < 2


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("do", ["", "add:materials"])
def test_senseless_fields_are_refused_in_words(ground: Ground, fields: dict[str, Any], do: str) -> None:
    browser, path = ground.browser("counter1"), f"/tasks/{ground.ids['task_id']}"
    answer, took = timed(lambda: browser.post(path, data=form(ground, _do=do, **fields)))
    assert answer.status_code in ((400, 422) if not do else (200, 400, 422)), answer.text[:300]
    assert answer.headers["content-type"].startswith("text/html")
    assert took < 2


DRAFTS: list[Any] = [
    {},
    {"contact": 5, "materials": "x", "activities": 5, "applicant": [], "declared": "x", "employees": {}},
    {"contact": {"name": {"a": [1]}}, "materials": [5, None, {"code": []}], "activities": {"a": 1}},
    {"materials": {"0": 1}, "premises": {"area": [], "proof": 7, "street": {}}, "activities": [[], {}]},
    {"materials": [{"code": "M01", "file": {"a": 1}}] * 300, "safety_staff": [[[]]]},
    {"contact": {"name": "x" * 500_000}},
    {f"k{n}": n for n in range(20_000)},
]


@pytest.mark.parametrize("number", range(len(DRAFTS)))
@pytest.mark.parametrize("key", [PERMIT, ITEM])
def test_a_draft_of_any_shape_leaves_the_page_whole(ground: Ground, stores: None, number: int, key: str) -> None:
    task = ground.hall.story(key).task("register_application")["id"]
    sent = ground.person("counter1").post(f"/api/tasks/{task}/draft", json={"answers": DRAFTS[number]})
    assert sent.status_code == 204
    answer, took = timed(lambda: ground.browser("counter1").get(f"/tasks/{task}"))
    assert answer.status_code == 200, answer.text[:300]
    assert took < 2


def test_scripts_in_every_text_field_are_shown_as_text(ground: Ground, stores: None) -> None:
    story = ground.hall.story(PERMIT)
    task = story.task("register_application")["id"]

    def tainted(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: tainted(part, key) for key, part in value.items()}
        if isinstance(value, list):
            return [tainted(part) for part in value]
        free = name in {"name", "legal_representative", "address", "recipient"}
        return SCRIPT[:50] if free and isinstance(value, str) else value

    given = tainted(a.food_application(delivery=a.BY_POST))
    person, browser = ground.person("counter1"), ground.browser("counter1")
    assert person.post(f"/api/tasks/{task}/draft", json={"answers": given}).status_code == 204
    pages = [browser.get(f"/tasks/{task}").text]
    done = person.post(f"/api/tasks/{task}/complete", json={"answers": given})
    assert done.status_code == 200, done.text
    ground.hall.work()
    pages += [browser.get(path).text for path in (f"/cases/{story.case}", "/cases", "/tasks")]
    check = story.task("check_materials")["id"]
    pages += [ground.browser("reviewer1").get(path).text for path in (f"/tasks/{check}", "/tasks")]
    papers = [browser.get(f"/documents/{row['id']}") for row in story.view["documents"]]
    assert papers
    assert all("sandbox" in paper.headers["content-security-policy"] for paper in papers)
    pages += [paper.text for paper in papers]
    for page in pages:
        assert "<script>alert" not in page
        assert 'alert("' not in page
    assert sum("&lt;script&gt;alert" in page for page in pages) >= 4
    story.withdraws()


UPLOADS: list[tuple[str, bytes, str]] = [
    ("../../../etc/passwd", b"x1", "text/plain"),
    ("..\\..\\windows\\system32\\x.dll", b"x2", "text/plain"),
    ("a\x00b.txt", b"x3", "text/plain"),
    ("x" * 5_000 + ".txt", b"x4", "text/plain"),
    (SCRIPT[:30], b"<script>alert(1)</script>", "text/html"),
    ("evil.svg", b"<svg onload=alert(1)>", "image/svg+xml"),
    ("a.txt", b"", "text/plain"),
    ("a.txt", b"x7", "text/html\x00; charset=" + "x" * 2_000),
    ('a"; filename="b', b"x8", "nonsense"),
    ("\u202egpj.exe", b"x9", "text/plain"),
]


@pytest.mark.parametrize(("name", "content", "kind"), UPLOADS)
def test_an_uploads_name_and_type_are_labels_only(
    ground: Ground, stores: None, name: str, content: bytes, kind: str
) -> None:
    person = ground.person("counter1")
    address = f"/api/tasks/{ground.ids['task_id']}/attachments"
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n--b--\r\n'
    )
    raw = body % (name.replace('"', "%22").encode(), kind.encode(), content)
    sent = person.post(address, content=raw, headers={"Content-Type": "multipart/form-data; boundary=b"})
    if sent.status_code != 201:
        refused(sent, took=0, what=name)
        return
    got = person.get(f"/api/attachments/{sent.json()['digest']}")
    assert got.content == content
    assert got.headers["content-type"] == "application/octet-stream"
    told = got.headers["content-disposition"]
    assert told.startswith("attachment;")
    assert len(told) < 2_500
    assert not re.search(r"%2F|%5C|%00|%E2%80%AE|/|\\", told)


@pytest.mark.parametrize("codec", ["undefined", "unicode_escape", "raw_unicode_escape", "utf-7", "idna", "zlib"])
def test_an_upload_in_a_strange_charset_is_no_fault(ground: Ground, stores: None, codec: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="\\ud800.txt"\r\n\r\nstrange\r\n--b--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary=b; charset={codec}"}
    address = f"/api/tasks/{ground.ids['task_id']}/attachments"
    sent = ground.person("counter1").post(address, content=body, headers=headers)
    assert sent.status_code in (201, 400, 415, 422), sent.text


def test_who_may_not_work_on_a_task_leaves_no_file_behind(ground: Ground) -> None:
    path = f"/tasks/{ground.ids['task_id']}"
    for who in ("supervisor1", "auditor1", "examiner1"):
        data = {"_csrf": ground.csrf(who), "_once": "k"}
        files = {"contact.name": ("a.txt", f"left behind by {who}".encode(), "text/plain")}
        answer, took = timed(lambda w=who, d=data, f=files: ground.browser(w).post(path, data=d, files=f))
        refused(answer, took=took, page=True, what=who)


def test_designers_files_of_any_content_are_findings_and_no_fault(ground: Ground) -> None:
    designer = ground.person("designer1")
    bad = {
        "processes/services/steps/intake.bpmn": b"\xff\xfe\x00nonsense",
        "processes/services/steps/issue.bpmn": b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        "processes/services/steps/new.bpmn": b"<a>" * 50_000,
        "processes/services/steps/empty.bpmn": b"",
        "processes/registers/roles.csv": b"\xff\xfe,,\x00",
        "processes/registers/papers.csv": b'"' * 1001,
        "processes/registers/calendar.csv": b"date,workday,reason\n0000-00-00,x,\n",
        "processes/a.dmn": b"no table",
        "forms/intake/new.json": b"[" * 100_000,
        "forms/intake/check_materials.json": b"NaN",
        "forms/fields/contact.json": b'{"$ref": "contact.json"}',
        "forms/documents/receipt.html": b"{% for x in range(10**9) %}{{ x }}{% endfor %}{{ ''.__class__ }}",
        "forms/notices/new.txt": b"{{ unclosed",
        "forms/a/../../x.json": b"{}",
        "processes//x.bpmn": b"",
        "forms/\u202e.json": b"{}",
    }
    for path, content in bad.items():
        answer, took = timed(lambda p=path, c=content: designer.post("/api/deployments", files=[("files", (p, c))]))
        assert answer.status_code == 422, (path, answer.status_code, answer.text[:300])
        assert answer.json()["findings"], path
        assert took < 10, (path, took)  # the gate reads the whole library


def test_a_form_sent_twice_counts_once_and_with_another_content_not_at_all(ground: Ground, stores: None) -> None:
    browser, data = ground.browser("counter1"), form(ground, _once="twice")
    first, again = (browser.post(f"/new/{ITEM}", data=data) for _ in range(2))
    assert first.headers["location"] == again.headers["location"]
    case = re.findall(r"[0-9a-f-]{36}", first.headers["location"])[0]
    withdrawn = [browser.post(f"/tasks/{case}/claim", data={**data, "x": n}) for n in ("1", "1", "2")]
    assert [answer.status_code for answer in withdrawn] == [303, 303, 422]
    assert browser.post(f"/tasks/{case}/release", data=data).status_code == 303


def test_a_session_that_has_ended_is_nobodys(ground: Ground, stores: None) -> None:
    session = c.log_in(ground.hall.office, "counter2", DEMO_PASSWORD)
    client = TestClient(ground.hall.app, raise_server_exceptions=False, follow_redirects=False)
    client.cookies.set("sanwei_session", session.token)
    assert client.get("/tasks").status_code == 200
    assert client.post("/logout", data={"_csrf": session.csrf}).status_code == 303
    client.cookies.set("sanwei_session", session.token)
    assert client.get("/tasks").headers["location"].startswith("/login")
    bearer = {"Authorization": f"Bearer {session.token}"}
    assert client.get("/api/tasks", headers=bearer).status_code == 401
    late = c.log_in(ground.hall.office, "counter2", DEMO_PASSWORD)
    moved = ground.person("system1").post("/api/clock/advance", json={"by": "PT12H1S"})
    assert moved.status_code == 200
    for method, path in routes(ground.hall.app, "POST"):
        if path.startswith("/api/") and path != "/api/sessions":
            sent = client.request(method, filled(path, ground.ids), headers={"Authorization": f"Bearer {late.token}"})
            assert sent.status_code in (401, 422), path
    assert NAME not in client.get("/tasks").text
    assert PHONE not in client.get(f"/cases/{ground.story.case}").text
