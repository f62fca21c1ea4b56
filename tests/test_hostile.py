"""What an attacker sends to every route and page: a clear refusal, nothing stored, nothing repeated, never a fault."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from api.app.frame import DEEPEST, deeper
from tests.district import TestClient
from tests.hostile import (
    ID_NUMBER,
    JSON,
    NAME,
    NOBODY,
    PHONE,
    SLOWEST,
    Ground,
    filled,
    known,
    refused,
    routes,
    text,
    timed,
)
from tests.processes.story import Hall


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("hostile")
    hall = Hall(f"sqlite:///{folder}/hall.db", folder)
    yield Ground(hall)
    hall.office.store.close()


@pytest.fixture
def stores() -> None:
    """Named by a test that is meant to leave something behind."""


@pytest.fixture(autouse=True)
def nothing_stored_and_nothing_told(
    ground: Ground, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], request: Any
) -> Iterator[None]:
    """Around every test that does not say otherwise: the tables as before, no citizen in any log."""
    before = ground.stored()
    with caplog.at_level(logging.DEBUG):
        yield
    said = caplog.text + "".join(capfd.readouterr())
    assert "unforeseen" not in said
    assert not [planted for planted in (NAME, ID_NUMBER, PHONE) if planted in said]
    if "stores" not in request.fixturenames:
        assert ground.stored() == before


CITIZEN = {"姓名": NAME, "id_number": ID_NUMBER, "phone": PHONE}
# Of every JSON route: what it must refuse. `{}` in a text stands for a field the route knows.
BODIES: dict[str, tuple[bytes, str]] = {
    "unknown field": (text({"nobody_knows_this": CITIZEN}), JSON),
    "list": (text([CITIZEN]), JSON),
    "number": (b"5", JSON),
    "text": (text(NAME), JSON),
    "empty text": (b'""', JSON),
    "cut off": (text(CITIZEN)[:-3], JSON),
    "beyond the limit": (text({"answers": {"a": "x" * 10_000_000}}), JSON),
    "just below the limit": (text({"answers": NAME + "x" * 999_900}), JSON),
    "deep": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, JSON),
    "deep in disguise": (b"\xff\xfe" + ('"\u2222' + '{"a":' * 900 + "1" + "}" * 900).encode("utf-16-le"), JSON),
    "open string": (b"[" * 40 + b'"' + b'\\"' * 490_000, JSON),
    "open string, odd end": (b"[" * 40 + b'"' + b'\\"' * 490_000 + b"\\", JSON),
    "many rows": (text({"answers": [1] * 100_000}), JSON),
    "many unknown fields": (text({f"f{n}": 1 for n in range(70_000)}), JSON),
    "not a number": (b'{"answers": {"a": NaN}, "variables": NaN}', JSON),
    "infinite": (b'{"answers": 1e999, "name": 1e999}', JSON),
    "surrogate": (b'{"answers": "\\ud800", "name": "\\ud800"}', JSON),
    "NUL": (b'{"answers": "\\u0000", "name": "\\u0000"}', JSON),
    "raw NUL": (b'{"answers": {}}\0', JSON),
    "UTF-16": ('{"nobody_knows_this": 1}'.encode("utf-16"), JSON),
    "invalid UTF-8": (b'{"answers": "\xff\xfe"}', JSON),
    "long number": (b'{"answers": ' + b"9" * 5000 + b"}", JSON),
    "form": (b"answers=1", "application/x-www-form-urlencoded"),
    "XML": (b"<answers/>", "application/xml"),
    "no type": (b"{}", ""),
    "foreign charset": (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x; charset=undefined"),
    "multipart nonsense": (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
    "multipart without boundary": (b"--x", "multipart/form-data"),
}
# Who may use a route and so gets past its first door; a counter clerk for all others.
ABLE = {"/api/accounts": "security1", "/api/deployments": "designer1", "/api/clock/advance": "system1"}
# These take no body: what they are sent is not looked at, so they are asked about what does not exist.
BODILESS = ("claim", "release", "retry", "extend", "give-up")


def test_every_route_for_programs_refuses_every_senseless_body(ground: Ground) -> None:
    posts = [path for method, path in routes(ground.hall.app) if method == "POST" and path.startswith("/api/")]
    assert len(posts) > 10
    for path in posts:
        client = ground.person(ABLE.get(path, "counter1"))
        unknown = path.endswith(BODILESS)
        address = filled(path, dict.fromkeys(ground.ids, NOBODY) if unknown else ground.ids)
        for what, (body, kind) in BODIES.items():
            headers = {"Content-Type": kind} if kind else {}
            answer, took = timed(lambda a=address, b=body, h=headers, c=client: c.post(a, content=b, headers=h))
            refused(answer, took=took, what=(path, what))


def test_a_missing_body_is_refused_where_one_is_needed(ground: Ground) -> None:
    for path in ("/complete", "/draft", "/attachments"):
        answer, took = timed(lambda p=path: ground.person("counter1").post(f"/api/tasks/{ground.ids['task_id']}{p}"))
        refused(answer, took=took, what=path)
    for path in ("/api/sessions", "/api/messages", "/api/accounts", "/api/clock/advance", "/api/deployments"):
        answer, took = timed(lambda p=path: ground.person(ABLE.get(p, "counter1")).post(p))
        refused(answer, took=took, what=path)


@pytest.mark.parametrize("what", ["UTF-16", "deep in disguise", "raw NUL"])
def test_json_in_any_other_encoding_is_not_read(ground: Ground, what: str) -> None:
    body, kind = BODIES[what]
    answer = ground.person("counter1").post("/api/messages", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")


@pytest.mark.parametrize("size", [10_000, 490_000])
def test_the_depth_of_a_text_that_never_ends_is_counted_in_no_time(size: int) -> None:
    for end in (b"", b"\\"):
        deep, took = timed(lambda e=end: deeper(b"[" * (DEEPEST + 1) + b'"' + b'\\"' * size + e, DEEPEST))
        assert deep
        flat, took_flat = timed(lambda e=end: deeper(b"[]" * DEEPEST + b'"' + b'\\"' * size + e, DEEPEST))
        assert not flat
        assert max(took, took_flat) < 0.5


MALFORMED = [
    "x",
    "..%2f..%2fetc%2fpasswd",
    "..%5c..%5cwindows",
    "'%20OR%20'1'='1",
    "%ff%fe",
    "%00",
    "１２３",
    "-1",
    "9" * 5000,
    "%F0%9F%92%A9" * 300,
    "{{7*7}}",
    "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
]


WHY = {"reason": "x"}
# A body without fault for each verb, so that nothing but the id can be refused.
FITTING: dict[str, dict[str, object]] = {
    **{verb: {"answers": {}} for verb in ("complete", "draft", "resolve")},
    **{verb: {"to": NOBODY} for verb in ("transfer", "delegate")},
    "add-signer": {"kind": "before", "accounts": [NOBODY]},
    "remove-signer": {"account": NOBODY},
    "return": {"target": "x", "reason": "x"},
    "comment": {"text": "x"},
    "migrate": {"dry_run": True},
    "propose-erasure": {"basis": "x", "kept_until": "2020-01-01"},
}
POSTED = {
    "reason": "x",
    "to": NOBODY,
    "kind": "before",
    "accounts": NOBODY,
    "account": NOBODY,
    "text": "x",
    "target": "x",
}


def test_ids_that_are_none_and_ids_of_nothing_are_not_found_everywhere(ground: Ground) -> None:
    named = [(method, path) for method, path in routes(ground.hall.app) if "{" in path]
    assert len(named) > 25
    csrf = ground.csrf("counter1")
    for method, path in named:
        page = not path.startswith("/api/")
        client = ground.browser("counter1") if page else ground.person("counter1")
        for wrong in (NOBODY, *MALFORMED):
            address = filled(path, dict.fromkeys(ground.ids, wrong))
            more = {"data": {"_csrf": csrf, **POSTED}} if page and method == "POST" else {}
            if method == "POST" and not page:
                verb = path.rpartition("/")[2]
                more = (
                    {}
                    if verb in (*BODILESS, "instances", "resume", "recall", "erase")
                    else {"json": FITTING.get(verb, WHY)}
                )
                more = {"files": {"file": ("a", b"a")}} if verb == "attachments" else more
            answer, took = timed(lambda m=method, a=address, k=more, c=client: c.request(m, a, **k))
            if page and path == "/tasks/next":
                continue
            refused(answer, took=took, page=page, what=(method, path, wrong))
            assert answer.status_code in (400, 404, 405), (method, path, wrong, answer.text)


QUERIES = [
    "limit=0",
    "limit=201",
    "limit=99999999999999999999",
    "limit=" + "9" * 5000,
    "limit=NaN",
    "after=-1",
    "after=x",
    "after=%ff",
    "after=" + "9" * 5000,
    "after=0001-01-01T00:00:00%2B23:59_" + NOBODY,
    "after=9999-12-31T23:59:59-23:59_" + NOBODY,
    "after=2026-01-01T00:00:00_" + NOBODY,
    "after=2026-01-01T00:00:00%2B08:00_x",
    "after=2026-01-01T00:00:00%2B08:00_" + "0" * 5000,
    "due_before=yesterday",
    "due_before=2026-01-01",
    "at=0001-01-01T00:00:00Z",
    "at=1e999",
    "assignee=other",
    "q=" + "x" * 5000,
    "q=%25%5C_'%22--",
    "status='%20OR%201=1",
    "process_key=%F0%9F%92%A9",
    "process=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "said=completed:%3Cscript%3Ealert(1)%3C/script%3E",
    "view=%00",
    "back=//evil.example",
    "unknown=1",
    "&&=&",
    "%",
]


NAMES = {query.partition("=")[0] for query in QUERIES if "=" in query} - {"unknown", "&&"}


def test_senseless_queries_are_refused_or_mean_nothing(ground: Ground) -> None:
    client = ground.person("supervisor1")
    for path, takes in ((path, takes) for method, path, takes in known(ground.hall.app) if method == "GET"):
        for query in (q for q in QUERIES if (name := q.partition("=")[0]) not in NAMES or name in takes):
            answer, took = timed(lambda p=path, q=query, c=client: c.get(f"{filled(p, ground.ids)}?{q}"))
            assert answer.status_code < 500, (path, query, answer.text)
            assert took < SLOWEST, (path, query, took)
            assert "<script>alert" not in answer.text, (path, query)
            assert "evil.example" not in answer.headers.get("location", "")
            if answer.status_code >= 400:
                refused(answer, took=took, page=not path.startswith("/api/"), what=(path, query))


def test_methods_nobody_knows_are_refused_and_counted_under_one_name(ground: Ground) -> None:
    for _, path in routes(ground.hall.app):
        for number, method in enumerate(("TRACE", "CONNECT", "PROPFIND", "BREW")):
            client = ground.person("counter1")
            answer, took = timed(lambda m=f"{method}{number}", p=path, c=client: c.request(m, filled(p, ground.ids)))
            refused(answer, took=took, page=not path.startswith("/api/"), what=(method, path))
            assert answer.status_code == 405
    assert "BREW" not in ground.person("counter1").get("/metrics").text


HEADERS = [
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer " + "x" * 60_000},
    {"Authorization": "Basic Y291bnRlcjE6eA=="},
    {"Authorization": b"Bearer \xff\xfe\xfd"},
    {"Authorization": "Bearer ' OR 1=1 --"},
    {"Cookie": "sanwei_session=" + "x" * 60_000},
    {"Cookie": b"sanwei_session=\xff\xfe; lang=\xff"},
    {"Cookie": "sanwei_session=; sanwei_session=x; =;;;"},
]


@pytest.mark.parametrize("headers", HEADERS)
def test_garbage_for_a_session_is_nobody(ground: Ground, headers: dict[str, Any]) -> None:
    client = TestClient(ground.hall.app, raise_server_exceptions=False, follow_redirects=False)
    for method, path in routes(ground.hall.app):
        if path in ("/healthz", "/readyz", "/metrics", "/login", "/", "/api/openapi.json", "/language/{code}"):
            continue
        if path in ("/api/sessions",):
            continue
        answer = client.request(method, filled(path, ground.ids), headers=headers)
        if path.startswith("/api/"):
            assert answer.headers["content-type"] == "application/problem+json", (method, path)
            assert answer.status_code in (401, 422), (method, path, answer.text)
        else:
            assert answer.headers["location"].startswith("/login"), (method, path)


@pytest.mark.parametrize("key", ["x" * 201, "x" * 60_000, "张三", "\x01", "a b", b"\xff\xfe"])
def test_a_senseless_idempotency_key_is_refused_on_every_verb_that_takes_one(ground: Ground, key: Any) -> None:
    body: dict[str, Any] = {"complete": {"answers": {}}, "withdraw": {"reason": "x"}, "instances": {}}
    for path, able in ((p, ABLE.get(p, "counter1")) for m, p in routes(ground.hall.app) if m == "POST"):
        verb = path.rpartition("/")[2]
        if verb not in (*BODILESS, *body) or not path.startswith("/api/"):
            continue
        sent = {"json": body[verb]} if verb in body else {}
        key_header = {"Idempotency-Key": key.encode() if isinstance(key, str) else key}
        answer, took = timed(
            lambda p=path, s=sent, h=key_header, w=able: ground.person(w).post(filled(p, ground.ids), headers=h, **s)
        )
        refused(answer, took=took, what=(path, key))


@pytest.mark.parametrize("told", [{}, {"_csrf": ""}, {"_csrf": "x" * 100_000}, {"_csrf": "错"}, {"_csrf": "other"}])
def test_no_page_acts_without_its_own_token(ground: Ground, told: dict[str, str]) -> None:
    if told.get("_csrf") == "other":
        told = {"_csrf": ground.csrf("counter2")}
    posts = [path for method, path in routes(ground.hall.app) if method == "POST" and not path.startswith("/api/")]
    assert len(posts) > 6
    for path in (path for path in posts if path != "/login"):
        client = ground.browser("counter1")
        form = {**told, "reason": NAME, "_do": "draft", "contact.name": NAME}
        answer, took = timed(lambda p=path, f=form, c=client: c.post(filled(p, ground.ids), data=f))
        refused(answer, took=took, page=True, what=path)
        assert answer.status_code == 403
    # nor do the routes for programs, when a browser's cookie is all that is shown
    for verb in ("claim", "release"):
        answer = ground.browser("counter1").post(f"/api/tasks/{ground.ids['task_id']}/{verb}")
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
