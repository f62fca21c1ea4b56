"""The routes for programs, over the real store: what is refused, what is answered, what is never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from api.app import create_app
from api.settings import Settings
from tests.district import ITEM, PASSWORD, PERMIT, ROOT, District, TestClient, make_district
from tests.hostile import routes

NOBODY = str(uuid4())


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Iterator[District]:
    found = make_district(tmp_path_factory.mktemp("api"))
    yield found
    found.app.state.store.close()


@pytest.fixture(scope="module")
def intake(district: District) -> TestClient:
    return district.client("intake")


@pytest.fixture(scope="module")
def anybody(district: District) -> TestClient:
    return district.client()


def is_problem(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (told["status"], told["code"], told["type"]) == (status, code, f"urn:sanwei:problem:{code}")
    assert told["title"]
    assert told["title_en"]


# who asks


def test_nobody_sees_anything_without_a_session(anybody: TestClient) -> None:
    for path in ("/api/tasks", "/api/process-instances", "/api/incidents", "/api/registers", "/api/sessions/current"):
        is_problem(anybody.get(path), 401, "login_required")
    is_problem(anybody.get("/api/tasks", headers={"Authorization": "Bearer wrong"}), 401, "login_required")


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(anybody: TestClient) -> None:
    known = anybody.post("/api/sessions", json={"name": "registrar", "password": "wrong password"})
    unknown = anybody.post("/api/sessions", json={"name": "nobody", "password": "wrong password"})
    is_problem(known, 401, "login_failed")
    assert known.json() == unknown.json()


def test_a_session_ends_when_it_is_closed(district: District) -> None:
    client = district.client("elsewhere")
    assert client.get("/api/sessions/current").json()["account"]["name"] == "elsewhere"
    assert client.delete("/api/sessions/current").status_code == 204
    is_problem(client.get("/api/sessions/current"), 401, "login_required")


def test_a_cookie_alone_may_read_but_not_write(district: District) -> None:
    client = TestClient(district.app)
    session = client.post("/api/sessions", json={"name": "intake", "password": PASSWORD}).json()
    assert client.get("/api/tasks").status_code == 200
    path = f"/api/process-definitions/{ITEM}/instances"
    is_problem(client.post(path, json={}), 403, "csrf")
    is_problem(client.post(path, json={}, headers={"X-CSRF-Token": "wrong"}), 403, "csrf")
    assert client.post(path, json={}, headers={"X-CSRF-Token": session["csrf"]}).status_code == 201


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(anybody: TestClient) -> None:
    answer = anybody.post("/api/sessions", json={"name": "intake", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    anybody.cookies.clear()


def test_another_site_cannot_log_somebody_in(anybody: TestClient) -> None:
    login = {"name": "intake", "password": PASSWORD}
    is_problem(anybody.post("/api/sessions", json=login, headers={"Sec-Fetch-Site": "cross-site"}), 403, "csrf")


# cases


def test_a_task_is_completed_once_and_its_repetition_answered_alike(district: District, intake: TestClient) -> None:
    case_id, task_id = district.start(intake)
    answers = district.answers(intake, task_id)
    path, key = f"/api/tasks/{task_id}/complete", {"Idempotency-Key": "k-1"}
    first = intake.post(path, json={"answers": answers}, headers=key)
    assert first.status_code == 200, first.text
    again = intake.post(path, json={"answers": answers}, headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    other = intake.post(path, json={"answers": {}}, headers=key)
    is_problem(other, 422, "key_reused")
    late = intake.post(path, json={"answers": answers}, headers={"Idempotency-Key": "k-2"})
    is_problem(late, 409, "task_not_open")
    assert late.json()["facts"]["by"] == "测试intake"
    assert intake.get(f"/api/process-instances/{case_id}").json()["business_key"] == first.json()["business_key"]


def test_one_key_starts_one_case(intake: TestClient) -> None:
    path = f"/api/process-definitions/{ITEM}/instances"
    first, second = (intake.post(path, json={}, headers={"Idempotency-Key": "start"}) for _ in range(2))
    assert first.status_code == 201
    assert first.json() == second.json()
    assert first.headers["location"] == f"/api/process-instances/{first.json()['case']}"


@pytest.mark.parametrize("key", ["", " ", "x" * 201])
def test_a_senseless_idempotency_key_is_refused(intake: TestClient, key: str) -> None:
    answer = intake.post(f"/api/process-definitions/{ITEM}/instances", json={}, headers={"Idempotency-Key": key})
    is_problem(answer, 422, "invalid")


def test_every_bad_field_is_named_at_once_and_no_value_repeated(district: District, intake: TestClient) -> None:
    _, task_id = district.start(intake)
    answer = intake.post(f"/api/tasks/{task_id}/complete", json={"answers": {"planted-secret": "planted-secret"}})
    is_problem(answer, 422, "form_invalid")
    assert len(answer.json()["findings"]) > 3
    assert all(f["zh"] and f["en"] for f in answer.json()["findings"])
    assert "planted-secret" not in json.dumps([{**f, "where": ""} for f in answer.json()["findings"]])


def test_what_one_may_not_see_does_not_exist(district: District, intake: TestClient) -> None:
    case_id, task_id = district.start(intake)
    stranger = district.client("elsewhere")
    for path in (
        f"/api/tasks/{task_id}",
        f"/api/process-instances/{case_id}",
        f"/api/process-instances/{case_id}/history",
        f"/api/process-instances/{case_id}/positions",
        f"/api/process-instances/{case_id}/diagram",
    ):
        assert stranger.get(path).json() == intake.get(path.replace(case_id, NOBODY).replace(task_id, NOBODY)).json()
        is_problem(stranger.get(path), 404, "not_found")
    is_problem(stranger.post(f"/api/tasks/{task_id}/complete", json={"answers": {}}), 404, "not_found")


def test_a_claimed_task_is_its_claimants_until_released(district: District, intake: TestClient) -> None:
    _, task_id = district.start(intake)
    colleague = district.client("intake2")
    assert intake.post(f"/api/tasks/{task_id}/claim").status_code == 200
    assert task_id in {row["id"] for row in intake.get("/api/tasks?assignee=me&limit=200").json()["items"]}
    refused = colleague.post(f"/api/tasks/{task_id}/claim")
    is_problem(refused, 409, "task_claimed")
    assert refused.json()["facts"]["by"] == "测试intake"
    assert intake.post(f"/api/tasks/{task_id}/release").status_code == 200
    assert colleague.post(f"/api/tasks/{task_id}/claim").status_code == 200


def test_a_draft_comes_back_to_its_author_only(district: District, intake: TestClient) -> None:
    _, task_id = district.start(intake)
    kept = {"answers": {"unfinished": "业务"}}
    assert intake.post(f"/api/tasks/{task_id}/draft", json=kept).status_code == 204
    assert intake.get(f"/api/tasks/{task_id}").json()["draft"] == kept["answers"]
    assert district.client("intake2").get(f"/api/tasks/{task_id}").json()["draft"] is None


def test_history_positions_deadlines_papers_and_the_diagram_of_a_case(district: District, intake: TestClient) -> None:
    case_id, task_id = district.start(intake, PERMIT)
    done = intake.post(f"/api/tasks/{task_id}/complete", json={"answers": district.answers(intake, task_id)})
    assert done.status_code == 200, done.text
    base = f"/api/process-instances/{case_id}"
    history = intake.get(f"{base}/history").json()["items"]
    assert [row["number"] for row in history] == list(range(1, len(history) + 1))
    assert {"case.started", "task.completed", "element.entered"} <= {row["kind"] for row in history}
    first = intake.get(f"{base}/positions", params={"at": history[0]["recorded_at"]}).json()["positions"]
    now = intake.get(f"{base}/positions").json()["positions"]
    assert {p["element"] for p in first} != {p["element"] for p in now}
    assert isinstance(intake.get(f"{base}/deadlines").json()["deadlines"], list)
    assert isinstance(intake.get(f"{base}/documents").json()["documents"], list)
    xml = intake.get(f"{base}/diagram")
    assert xml.headers["content-type"] == "application/xml"
    assert b"<bpmn:definitions" in xml.content
    assert intake.get(f"{base}/diagram", params={"process_key": "intake"}).status_code == 200
    is_problem(intake.get(f"{base}/diagram", params={"process_key": "none"}), 404, "not_found")


def test_a_case_is_withdrawn_with_a_reason(district: District, intake: TestClient) -> None:
    case_id, task_id = district.start(intake, PERMIT)
    path = f"/api/process-instances/{case_id}/withdraw"
    is_problem(intake.post(path, json={"reason": ""}), 422, "invalid_request")
    is_problem(intake.post(path, json={"reason": "不想办了"}), 409, "nothing_waits")
    intake.post(f"/api/tasks/{task_id}/complete", json={"answers": district.answers(intake, task_id)})
    done = intake.post(path, json={"reason": "不想办了"})
    assert (done.status_code, done.json()["outcome"]) == (200, "withdrawn")


def test_an_uploaded_file_comes_back_as_a_download_only(district: District, intake: TestClient) -> None:
    _, task_id = district.start(intake)
    page = b"<script>alert(1)</script>"
    sent = intake.post(f"/api/tasks/{task_id}/attachments", files={"file": ("营业执照.html", page, "text/html")})
    assert sent.status_code == 201
    got = intake.get(f"/api/attachments/{sent.json()['digest']}")
    assert got.content == page
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment;")
    is_problem(district.client("elsewhere").get(f"/api/attachments/{sent.json()['digest']}"), 404, "not_found")


# what is published


def test_definitions_are_listed_and_each_describes_its_human_tasks(intake: TestClient) -> None:
    rows = {row["key"]: row for row in intake.get("/api/process-definitions").json()["process_definitions"]}
    assert rows[ITEM]["startable"]
    assert rows[ITEM]["item"]["code"]
    described = intake.get(f"/api/process-definitions/{PERMIT}/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    tasks = {op["post"]["x-element"]: op["post"] for path, op in described["paths"].items() if "#" in path}
    assert f"{PERMIT}/register_application" in tasks
    assert "intake/check_materials" in tasks
    for operation in tasks.values():
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["answers"]["additionalProperties"] is False
        assert {"403", "409", "422"} <= operation["responses"].keys()
    assert intake.get(f"/api/process-definitions/{ITEM}/versions/1/xml").content == (
        intake.get(f"/api/process-definitions/{ITEM}/xml").content
    )


def test_only_a_designer_publishes_and_a_bad_file_is_refused_with_findings(
    district: District, intake: TestClient
) -> None:
    files = [
        ("files", (p.relative_to(ROOT).as_posix(), p.read_bytes()))
        for room in ("processes", "forms")
        for p in sorted((ROOT / room).rglob("*"))
        if p.is_file() and not p.name.startswith(".")
    ]
    is_problem(intake.post("/api/deployments", files=files), 403, "forbidden")
    designer = district.client("designer")
    assert designer.post("/api/deployments", files=files).status_code == 201
    notice = ("forms/notices/ready.txt", "【荔湾政务】办理结果已就绪。".encode())
    alone = designer.post("/api/deployments", files=[("files", notice)])
    assert alone.status_code == 201
    assert alone.json()["changed"] == ["notice:ready"]
    assert ITEM in {d["key"] for d in designer.get("/api/process-definitions").json()["process_definitions"]}
    bad = [*files, ("files", ("processes/services/steps/broken.bpmn", b"<not-bpmn/>"))]
    refused = designer.post("/api/deployments", files=bad)
    is_problem(refused, 422, "refused")
    assert any("broken.bpmn" in f["where"] for f in refused.json()["findings"])
    outside = designer.post("/api/deployments", files=[("files", ("../engine/x.py", b""))])
    is_problem(outside, 422, "invalid")
    is_problem(designer.post("/api/deployments", files=[("x", ("", b""))]), 422, "invalid")


def test_registers_are_read(intake: TestClient) -> None:
    names = {row["name"] for row in intake.get("/api/registers").json()["registers"]}
    assert {"departments", "roles"} <= names
    assert intake.get("/api/registers/roles").json()["rows"][0]["role"] == "intake_clerk"


def test_accounts_are_the_security_administrators(district: District, intake: TestClient) -> None:
    is_problem(intake.get("/api/accounts"), 403, "forbidden")
    security = district.client("security")
    told = security.get("/api/accounts")
    assert "intake" in {row["name"] for row in told.json()["accounts"]}
    assert "argon2" not in told.text
    post = {"role": "examiner", "scope": "liwan/hall", "unit": "u", "post": "p"}
    new = {"name": "fresh", "display_name": "新人", "password": PASSWORD, "memberships": [post]}
    is_problem(intake.post("/api/accounts", json=new), 403, "forbidden")
    assert security.post("/api/accounts", json=new).status_code == 201
    is_problem(security.post("/api/accounts", json=new), 409, "business_key_taken")
    is_problem(security.post("/api/accounts", json={**new, "memberships": [{"role": "x"}]}), 422, "invalid_request")


def test_the_clock_moves_in_simulations_only_and_for_a_system_administrator(
    district: District, intake: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = district.client("system")
    is_problem(intake.post("/api/clock/advance", json={"by": "PT1H"}), 403, "forbidden")
    is_problem(system.post("/api/clock/advance", json={"by": "-PT1H"}), 422, "invalid_request")
    moved = [system.post("/api/clock/advance", json={"by": "PT1H"}) for _ in range(2)]
    assert [answer.status_code for answer in moved] == [200, 200]
    assert moved[0].json()["now"] < moved[1].json()["now"]
    monkeypatch.setattr("api.identity.settings", lambda request: replace(request.app.state.settings, simulation=False))
    is_problem(system.post("/api/clock/advance", json={"by": "PT1H"}), 403, "forbidden")


def test_a_message_nobody_waits_for_is_a_conflict(intake: TestClient) -> None:
    message = {"name": "withdrawal", "key": "nobody", "id": "m-1", "payload": {}}
    answer = intake.post("/api/messages", json=message)
    assert answer.status_code in {403, 409}
    assert intake.get("/api/incidents").json()["incidents"] == []


# operations


def test_health_readiness_and_counts(anybody: TestClient) -> None:
    assert anybody.get("/healthz").text == "ok\n"
    assert anybody.get("/readyz").status_code == 200
    assert 'sanwei_http_requests_total{method="GET",route="/healthz",status="200"}' in anybody.get("/metrics").text


def test_every_answer_forbids_scripts_from_elsewhere_and_is_not_kept(anybody: TestClient) -> None:
    for path in ("/healthz", "/login", "/api/tasks", "/api/nothing"):
        headers = anybody.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_openapi_names_every_route_with_its_problems(district: District, anybody: TestClient) -> None:
    document = anybody.get("/api/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    hidden = {"/api/openapi.json"}
    served = {(path, method.lower()) for method, path in routes(district.app)}
    wanted = {(path, method) for path, method in served if path.startswith("/api/") and path not in hidden}
    told = {(path, method) for path, item in document["paths"].items() for method in item}
    assert len(wanted) > 30
    assert told - {("/healthz", "get"), ("/readyz", "get"), ("/metrics", "get")} == wanted
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if path.startswith("/api/"):
                assert "application/problem+json" in operation["responses"]["401"]["content"]
                assert operation["summary"], (path, method)
            if path.startswith("/api/") and method == "post" and path != "/api/sessions":
                assert "Idempotency-Key" in {p["name"] for p in operation["parameters"]}


def test_an_empty_database_is_not_ready(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path}/empty.db", keys_path=tmp_path / "keys.json"))
    assert TestClient(app).get("/readyz").status_code == 503
    app.state.store.close()
