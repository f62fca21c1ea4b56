"""Bad requests of every kind are the caller's fault and told as problems; a fault of ours tells nothing of its text."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from api.app.frame import DEEPEST, deeper
from tests.district import ITEM, District, TestClient, make_district

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


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_json"),
        (b"\xff\xfe", "application/json", 400, None),
        (b"[1]", "application/json", 422, "invalid_request"),
        (b'{"answers": 1}', "application/json", 422, "invalid_request"),
        (b'{"answers": {}, "more": 1}', "application/json", 422, "invalid_request"),
        (b'{"answers": {"a": NaN}}', "application/json", None, None),
        (b'{"answers": {"a": 1e999}}', "application/json", None, None),
        (b'{"answers": {"a": "\\ud800"}}', "application/json", None, None),
        (b'{"answers": {"a": "\\u0000"}}', "application/json", 422, "invalid_request"),
        (b'{"answers": {"a": ' + b"9" * 5000 + b"}}", "application/json", None, None),
        (b"a=1", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"a", "text/plain", 415, "unsupported_media_type"),
        (b"[" * 5000 + b"]" * 5000, "application/json", 400, "too_deep"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x", None, None),
        (b"nonsense", "multipart/form-data", None, None),
    ],
)
def test_bad_bodies_are_the_callers_fault(
    intake: TestClient, body: bytes, kind: str, status: int | None, code: str | None
) -> None:
    answer = intake.post(f"/api/tasks/{NOBODY}/complete", content=body, headers={"Content-Type": kind})
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert status is None or answer.status_code == status
    assert code is None or answer.json()["code"] == code


@pytest.mark.parametrize(
    "path",
    [
        "/api/tasks?limit=0",
        "/api/tasks?limit=99999999999999999999",
        "/api/tasks?after=nonsense",
        "/api/tasks?due_before=yesterday",
        "/api/tasks?due_before=9999-12-31T23:59:59-10:00",
        "/api/tasks?role=%00",
        "/api/tasks?scope=%F0%28%8C%28",
        "/api/tasks/none",
        f"/api/tasks/{NOBODY}",
        f"/api/tasks/{NOBODY}/form",
        "/api/process-instances/%2e%2e",
        "/api/process-instances?after=nonsense",
        f"/api/process-instances/{NOBODY}/history?after=-1",
        f"/api/process-instances/{NOBODY}/positions?at=2026-01-01",
        "/api/process-definitions/none",
        "/api/process-definitions/none/xml",
        "/api/process-definitions/%00/xml",
        f"/api/process-definitions/{ITEM}/versions/99/xml",
        f"/api/process-definitions/{ITEM}/versions/99999999999999999999/xml",
        "/api/registers/none",
        f"/api/documents/{NOBODY}",
        "/api/attachments/none",
        "/api/attachments/sha256:" + "0" * 64,
        "/api/nothing",
    ],
)
def test_bad_addresses_are_the_callers_fault(intake: TestClient, path: str) -> None:
    answer = intake.get(path)
    if "scope=" not in path:
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code < 500


def test_a_wrong_method_says_which_are_known(intake: TestClient) -> None:
    answer = intake.put("/api/tasks")
    is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(district: District, intake: TestClient) -> None:
    path = f"/api/tasks/{NOBODY}/complete"
    large = json.dumps({"answers": {"a": "x" * 1_000_000}})
    is_problem(intake.post(path, content=large, headers={"Content-Type": "application/json"}), 413, "too_large")

    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 100_000

    is_problem(intake.post(path, content=pieces(), headers={"Content-Type": "application/json"}), 413, "too_large")


def test_depth_is_counted_outside_of_texts() -> None:
    assert not deeper(json.dumps({"a": "[" * 1000}).encode(), DEEPEST)
    assert not deeper(b"[]" * 1000, DEEPEST)
    assert not deeper(b"[" * DEEPEST + b"]" * DEEPEST, DEEPEST)
    assert deeper(b"[" * (DEEPEST + 1), DEEPEST)
    assert deeper(b'["\\\\",' + b"[" * DEEPEST, DEEPEST)


def test_an_unforeseen_error_tells_and_logs_nothing_of_its_text(
    district: District, intake: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Zhang San's secret")

    monkeypatch.setattr("engine.commands.worklist", broken)
    with caplog.at_level(logging.DEBUG):
        answer = intake.get("/api/tasks")
    is_problem(answer, 500, "fault")
    assert "Zhang" not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text
