"""Messages over HTTP and on the screens, and requests that are repeated under one Idempotency-Key."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from engine.worker import Worker
from tests.district import PERMIT, District, TestClient, make_district
from tests.outside import Silent
from tests.test_api import is_problem


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    found = make_district(tmp_path_factory.mktemp("messages"))
    yield found
    found.app.state.store.close()


@pytest.fixture(scope="module")
def intake(district: District) -> TestClient:
    return district.client("intake")


def withdrawal(key: str, **more: object) -> dict[str, object]:
    return {"name": "withdrawal", "key": key, "id": str(uuid4()), "payload": {"reason": "不想办了"}, **more}


def key_of(client: TestClient, case: str) -> str:
    return client.get(f"/api/process-instances/{case}").json()["business_key"]


def test_a_message_is_kept_until_its_case_waits(district: District, intake: TestClient) -> None:
    case, task = district.start(intake, PERMIT)
    message = withdrawal(key_of(intake, case))
    first = intake.post("/api/messages", json=message, headers={"Idempotency-Key": "m"})
    assert (first.status_code, first.json()["status"], first.json()["case"]) == (202, "kept", None)
    again = intake.post("/api/messages", json=message, headers={"Idempotency-Key": "m"})
    assert (again.status_code, again.json()) == (202, first.json())
    other = intake.post("/api/messages", json={**message, "payload": {"reason": "x"}})
    is_problem(other, 422, "key_reused")
    system = district.client("system")
    [kept] = system.get("/api/messages").json()["messages"]
    assert (kept["id"], kept["name"], kept["status"]) == (first.json()["message"], "withdrawal", "kept")
    assert "不想办了" not in system.get("/api/messages").text
    is_problem(intake.get("/api/messages"), 403, "forbidden")
    answers = district.answers(intake, task)
    assert intake.post(f"/api/tasks/{task}/complete", json={"answers": answers}).status_code == 200
    Worker(district.office, Silent()).once()
    assert intake.get(f"/api/process-instances/{case}").json()["outcome"] == "withdrawn"
    told = intake.post("/api/messages", json=message)
    assert (told.status_code, told.json()["status"], told.json()["case"]) == (200, "delivered", case)


def test_content_that_does_not_fit_is_named_field_by_field(district: District, intake: TestClient) -> None:
    case, _ = district.start(intake, PERMIT)
    bad = withdrawal(key_of(intake, case), payload={"reason": "", "other": 1})
    answer = intake.post("/api/messages", json=bad)
    is_problem(answer, 422, "form_invalid")
    assert {f["where"] for f in answer.json()["findings"]} == {"payload.reason", "payload.other"}
    past = withdrawal(key_of(intake, case), expires_at="2020-01-01T00:00:00Z")
    is_problem(intake.post("/api/messages", json=past), 422, "invalid")


def test_a_message_that_expired_is_seen_extended_and_given_up(district: District, intake: TestClient) -> None:
    case, _ = district.start(intake, PERMIT)
    sent = intake.post("/api/messages", json=withdrawal(key_of(intake, case))).json()["message"]
    system = district.client("system")
    assert system.post("/api/clock/advance", json={"by": "P31D"}).status_code == 200
    system, browser = district.client("system"), district.browser("system")
    Worker(district.office, Silent()).once()
    found = [i for i in system.get("/api/incidents").json()["incidents"] if i["id"] == sent]
    assert [(i["case_id"], i["code"], i["message"]) for i in found] == [(None, "message_expired", "withdrawal")]
    page = browser.get("/messages")
    assert page.status_code == 200
    assert "已过期" in page.text
    assert "不想办了" not in page.text
    csrf = browser.get("/api/sessions/current").json()["csrf"]
    form = {"_csrf": csrf, "_once": "e1"}
    assert browser.post(f"/messages/{sent}/extend", data=form).headers["location"] == "/messages?said=extended"
    assert "保留中" in browser.get("/messages").text
    assert browser.post(f"/messages/{sent}/give-up", data=form).headers["location"] == "/messages?said=given_up"
    assert system.get("/api/messages").json()["messages"] == []
    is_problem(system.post(f"/api/messages/{sent}/extend"), 409, "nothing_waits")
    assert district.browser("intake").get("/messages").status_code == 403


def test_drafts_files_and_deployments_repeated_under_a_key_have_one_effect(
    district: District, intake: TestClient
) -> None:
    intake = district.client("intake")
    _, task = district.start(intake)
    path, key = f"/api/tasks/{task}/attachments", {"Idempotency-Key": "f"}
    file = {"file": ("a.txt", b"one", "text/plain")}
    first = intake.post(path, files=file, headers=key)
    assert (first.status_code, intake.post(path, files=file, headers=key).json()) == (201, first.json())
    is_problem(intake.post(path, files={"file": ("a.txt", b"two", "text/plain")}, headers=key), 422, "key_reused")
    path, key = f"/api/tasks/{task}/draft", {"Idempotency-Key": "d"}
    assert intake.post(path, json={"answers": {"a": 1}}, headers=key).status_code == 204
    assert intake.post(path, json={"answers": {"b": 2}}).status_code == 204
    assert intake.post(path, json={"answers": {"a": 1}}, headers=key).status_code == 204
    assert intake.get(f"/api/tasks/{task}").json()["draft"] == {"b": 2}
    is_problem(intake.post(path, json={"answers": {}}, headers=key), 422, "key_reused")
    designer = district.client("designer")
    notices = [("files", ("forms/notices/ready.txt", f"【荔湾政务】结果{n}。".encode())) for n in range(2)]
    key = {"Idempotency-Key": "p"}
    first = designer.post("/api/deployments", files=notices[:1], headers=key)
    assert first.status_code == 201, first.text
    assert designer.post("/api/deployments", files=notices[1:]).json()["number"] == first.json()["number"] + 1
    assert designer.post("/api/deployments", files=notices[:1], headers=key).json() == first.json()
    is_problem(designer.post("/api/deployments", files=notices[1:], headers=key), 422, "key_reused")
