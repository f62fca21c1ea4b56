"""Who may do what: every demo account and people of other departments, against every verb and every reading.

Each row of a table is one verb with the people who may. Everybody else is refused: 404 where they may not even know
that the case exists, 403 where they see the case but hold no post for the verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from api.accounts import DEMO_PASSWORD
from engine import commands as c
from engine.model import SYSTEM, Membership
from tests.district import ITEM, PERMIT, TestClient
from tests.processes import answers as a
from tests.processes.story import Hall, Story

# The same roles in another scope; `market` is where the name of market_regulation begins, and no scope above it.
STRANGERS = {
    "education1": ("acceptance_reviewer", "liwan/dept/education"),
    "market0": ("acceptance_reviewer", "liwan/dept/market"),
    "street1": ("intake_clerk", "liwan/street/440103003"),
    "overseer1": ("supervisor", "liwan/dept/education"),
    "auditor2": ("auditor", "liwan/street"),
    "system2": ("system_admin", "liwan/dept/education"),
    "security2": ("security_admin", "liwan/dept/education"),
    "designer2": ("designer", "liwan/dept/education"),
    "postless": None,
}
COUNTERS = {"counter1", "counter2"}
OVERSEERS = {"supervisor1", "auditor1"}
POSTS = {"reviewer1", "examiner1", "inspector1", "inspector2", "head1", "registrar1", "issue1"}
OFFICES = {"designer1", "security1", "system1"}
EVERYBODY = {*COUNTERS, *OVERSEERS, *POSTS, *OFFICES, *STRANGERS}

# A permit that waits for the acceptance reviewer is seen by who worked on it, whose post it waits for, who oversees.
SEES_PERMIT = {*COUNTERS, "reviewer1", *OVERSEERS}
# A shop's registration that nobody has filled in yet is at the counter only.
SEES_SHOP = {*COUNTERS, *OVERSEERS}

CASE = "/api/process-instances/{case}"
TASK = "/api/tasks/{task}"
#   reading                      of the permit   of the shop
READINGS: dict[str, tuple[set[str], set[str]]] = {
    CASE: (SEES_PERMIT, SEES_SHOP),
    f"{CASE}/history": (SEES_PERMIT, SEES_SHOP),
    f"{CASE}/positions": (SEES_PERMIT, SEES_SHOP),
    f"{CASE}/deadlines": (SEES_PERMIT, SEES_SHOP),
    f"{CASE}/documents": (SEES_PERMIT, SEES_SHOP),
    f"{CASE}/comments": (SEES_PERMIT, SEES_SHOP),
    f"{CASE}/signatures": (SEES_PERMIT, SEES_SHOP),
    f"{TASK}/signers": (SEES_PERMIT, SEES_SHOP),
    f"{CASE}/diagram": (SEES_PERMIT, SEES_SHOP),
    TASK: (SEES_PERMIT, SEES_SHOP),
    f"{TASK}/form": (SEES_PERMIT, SEES_SHOP),
    f"{TASK}/candidates": ({"reviewer1", "supervisor1"}, {*COUNTERS, "supervisor1"}),
    "/api/documents/{document}": (SEES_PERMIT, set()),
    "/api/attachments/{file}": (SEES_PERMIT, set()),
    "/cases/{case}": (SEES_PERMIT, SEES_SHOP),
    "/tasks/{task}": (SEES_PERMIT, SEES_SHOP),
    "/documents/{document}": (SEES_PERMIT, set()),
    "/attachments/{file}": (SEES_PERMIT, set()),
}
#   list                         where                what names the case   who finds the permit there
LISTS: dict[str, tuple[str, str, set[str]]] = {
    "/api/tasks?limit=200": ("items", "id", {"reviewer1"}),
    "/api/process-instances?limit=200": ("items", "id", SEES_PERMIT),
    "/api/incidents": ("incidents", "case_id", {*SEES_PERMIT, "system1"}),
}
#   verb                         who may on the permit  on the shop
VERBS: dict[str, tuple[set[str], set[str]]] = {
    f"{TASK}/claim": ({"reviewer1"}, COUNTERS),
    f"{TASK}/release": ({"reviewer1"}, COUNTERS),
    f"{TASK}/draft": ({"reviewer1"}, COUNTERS),
    f"{TASK}/attachments": ({"reviewer1"}, COUNTERS),
    f"{TASK}/complete": ({"reviewer1"}, COUNTERS),
    f"{CASE}/withdraw": (COUNTERS, set()),
}
#   verb that hands on or says something: who sees the case may comment; started by or supervised: urge
SAYINGS: dict[str, tuple[set[str], set[str]]] = {
    f"{TASK}/comment": (SEES_PERMIT, SEES_SHOP),
    f"{CASE}/comment": (SEES_PERMIT, SEES_SHOP),
    f"{TASK}/urge": ({"counter1", "supervisor1"}, {"counter1", "supervisor1"}),
}
#   of nobody's case             who may
GENERAL: dict[tuple[str, str], set[str]] = {
    ("GET", "/api/sessions/current"): EVERYBODY,
    ("GET", "/api/process-definitions"): EVERYBODY,
    ("GET", f"/api/process-definitions/{PERMIT}/xml"): EVERYBODY,
    ("GET", "/api/registers"): EVERYBODY,
    ("GET", "/api/people"): EVERYBODY - {"postless"},
    ("GET", "/api/registers/roles"): EVERYBODY,
    ("POST", f"/api/process-definitions/{ITEM}/instances"): COUNTERS,
    ("POST", f"/api/process-definitions/{PERMIT}/instances"): COUNTERS,
    ("GET", "/api/accounts"): {"security1", "security2"},
    ("POST", "/api/accounts"): {"security1", "security2"},
    ("POST", "/api/deployments"): {"designer1"},
    ("POST", "/api/clock/advance"): {"system1"},
}


class Town:
    """A hall with strangers in it, one permit with a paper, a file and an incident, and one fresh shop."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        for name, post in STRANGERS.items():
            held = (Membership(role=post[0], scope=post[1], unit="外单位", post="岗"),) if post else ()
            shown, word = f"外单位{name}", DEMO_PASSWORD
            c.create_account(hall.office, SYSTEM, name=name, display_name=shown, password=word, memberships=held)
            hall.tokens[name] = c.log_in(hall.office, name, DEMO_PASSWORD).token
        self.permit, self.file = self.application()
        self.shop = hall.story(ITEM)
        self.hall.work()
        self.permit_ids = {
            "case": self.permit.case,
            "task": self.permit.task("check_materials")["id"],
            "document": self.permit.view["documents"][0]["id"],
            "file": self.file,
        }
        self.shop_ids = {"case": self.shop.case, "task": self.shop.task("register_application")["id"]}

    def application(self) -> tuple[Story, str]:
        """A permit with its application and a file handed in by counter1."""
        story = self.hall.story(PERMIT)
        task = story.task("register_application")["id"]
        sent = {"file": ("图.txt", uuid4().bytes, "text/plain")}
        file = self.client("counter1").post(f"/api/tasks/{task}/attachments", files=sent).json()["digest"]
        materials = a.submitted(*a.FOOD)
        materials[0] |= {"file": file}
        return story.does("register_application", a.food_application(materials=materials)), file

    def client(self, name: str) -> TestClient:
        client = TestClient(self.hall.app, raise_server_exceptions=False, follow_redirects=False)
        client.headers["Authorization"] = f"Bearer {self.hall.tokens[name]}"
        return client


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("rights")
    url = f"sqlite:///{folder}/hall.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("cluster").create()[1]
    hall = Hall(url, folder)
    yield Town(hall)
    hall.office.store.close()


def wrong_cells(may: set[str], sees: set[str], ask: Callable[[str], Any]) -> list[tuple[str, int, int]]:
    """The people answered otherwise than the table says: (who, status told, status expected). Who may comes last."""
    found = []
    for name in sorted(EVERYBODY - may) + sorted(may):
        answer = ask(name)
        expected = 403 if name in sees else 404
        fits = answer.is_success if name in may else answer.status_code == expected
        if not fits:
            found.append((name, answer.status_code, 200 if name in may else expected))
    return found


@pytest.mark.parametrize("path", READINGS)
def test_a_case_is_read_by_its_posts_and_overseers_only(town: Town, path: str) -> None:
    permit, shop = READINGS[path]
    hidden = path.endswith("candidates")  # for who may hand on only; who sees the case is told so
    sees = (SEES_PERMIT, SEES_SHOP) if hidden else (set(), set())
    assert not wrong_cells(permit, sees[0], lambda name: town.client(name).get(path.format(**town.permit_ids)))
    if shop:
        assert not wrong_cells(shop, sees[1], lambda name: town.client(name).get(path.format(**town.shop_ids)))


@pytest.mark.parametrize("path", SAYINGS)
def test_a_case_is_talked_about_by_who_sees_it_and_urged_by_who_may(town: Town, path: str) -> None:
    for ids, sees, may in (
        (town.permit_ids, SEES_PERMIT, SAYINGS[path][0]),
        (town.shop_ids, SEES_SHOP, SAYINGS[path][1]),
    ):
        body = sent(path.rpartition("/")[2])
        assert not wrong_cells(
            may, sees, lambda name, ids=ids, body=body: town.client(name).post(path.format(**ids), **body)
        )


@pytest.mark.parametrize("verb", ["transfer", "delegate"])
def test_a_task_is_handed_on_by_its_holder_and_transferred_by_a_supervisor(town: Town, verb: str) -> None:
    task = town.hall.story(ITEM).task("register_application")["id"]
    town.client("counter1").post(f"/api/tasks/{task}/claim")
    [other] = town.client("counter1").get(f"/api/tasks/{task}/candidates").json()["candidates"]
    body = {"to": other["account"]}
    may = {"counter1", "supervisor1"} if verb == "transfer" else {"counter1"}
    told = {
        name: town.client(name).post(f"/api/tasks/{task}/{verb}", json=body).status_code for name in EVERYBODY - may
    }
    # The other counter holds the role, but not the task: somebody else was first.
    assert told == {n: 409 if n == "counter2" else 403 if n in SEES_SHOP else 404 for n in EVERYBODY - may}
    assert town.client("counter1").post(f"/api/tasks/{task}/{verb}", json=body).status_code == 200
    if verb == "transfer":
        [back] = town.client("supervisor1").get(f"/api/tasks/{task}/candidates").json()["candidates"]
        answer = town.client("supervisor1").post(f"/api/tasks/{task}/transfer", json={"to": back["account"]})
        assert answer.status_code == 200


def sent(verb: str) -> dict[str, Any]:
    """What goes with a verb."""
    bodies: dict[str, dict[str, Any]] = {
        "draft": {"json": {"answers": {}}},
        "attachments": {"files": {"file": ("a.txt", uuid4().bytes, "text/plain")}},
        "withdraw": {"json": {"reason": "不办了"}},
        "comment": {"json": {"text": "请看"}},
        "urge": {"json": {}},
    }
    return bodies.get(verb, {})


@pytest.mark.parametrize("path", [path for path in VERBS if not path.endswith(("complete", "withdraw"))])
def test_a_task_is_worked_on_by_its_post_only(town: Town, path: str) -> None:
    rows = [(town.permit_ids, SEES_PERMIT, VERBS[path][0]), (town.shop_ids, SEES_SHOP, VERBS[path][1])]
    for ids, sees, may in rows:

        def ask(name: str, ids: dict[str, str] = ids) -> Any:
            answer = town.client(name).post(path.format(**ids), **sent(path.rpartition("/")[2]))
            if answer.is_success and path.endswith("claim"):
                town.client(name).post(f"/api/tasks/{ids['task']}/release")
            return answer

        assert not wrong_cells(may, sees, ask)


def test_a_task_is_completed_by_its_post_only(town: Town) -> None:
    path = f"{TASK}/complete"
    of_permit, of_shop = VERBS[path]
    for story, element, sees, may, able, answers in (
        (town.application()[0], "check_materials", SEES_PERMIT, of_permit, "reviewer1", a.COMPLETE),
        (town.hall.story(ITEM), "register_application", SEES_SHOP, of_shop, "counter1", a.shop_application()),
        (town.hall.story(ITEM), "register_application", SEES_SHOP, of_shop, "counter2", a.shop_application()),
    ):
        address, body = path.format(task=story.task(element)["id"]), {"answers": answers}
        before = story.view["tasks"]
        told = {name: town.client(name).post(address, json=body).status_code for name in EVERYBODY - may}
        assert told == {name: 403 if name in sees else 404 for name in EVERYBODY - may}
        assert story.view["tasks"] == before
        assert town.client(able).post(address, json=body).status_code == 200


@pytest.mark.parametrize("able", sorted(COUNTERS))
def test_an_application_is_taken_back_at_a_counter_only(town: Town, able: str) -> None:
    story = town.application()[0]
    path = f"/api/process-instances/{story.case}/withdraw"
    others = EVERYBODY - COUNTERS
    told = {name: town.client(name).post(path, **sent("withdraw")).status_code for name in others}
    assert told == {name: 403 if name in SEES_PERMIT else 404 for name in others}
    key = story.view["business_key"]
    message = {"name": "withdrawal", "key": key, "payload": {"reason": "x"}}
    asked = {n: town.client(n).post("/api/messages", json={**message, "id": f"{key}{n}"}) for n in others}
    told = {name: answer.status_code for name, answer in asked.items()}
    # A message has no address of its own to be not found: to who may not see the case, nobody waits for it.
    assert told == {name: 403 if name in SEES_PERMIT else 409 for name in others}
    nobody = town.client("postless").post("/api/messages", json={**message, "key": "nobody", "id": "1"})
    assert asked["postless"].json() == nobody.json()
    assert story.view["status"] == "active"
    assert town.client(able).post(path, **sent("withdraw")).json()["outcome"] == "withdrawn"


def test_lists_hold_what_one_may_see_and_no_more(town: Town) -> None:
    incident = stuck(town)
    names = {"/api/tasks?limit=200": town.permit_ids["task"], "/api/process-instances?limit=200": town.permit.case}
    for path, (part, key, may) in LISTS.items():
        wanted = names.get(path, incident["case_id"])
        found = {n for n in EVERYBODY if wanted in {row[key] for row in town.client(n).get(path).json()[part]}}
        assert found == may, path


def test_what_is_stuck_is_tried_again_by_the_system_administrator_only(town: Town) -> None:
    path = f"/api/incidents/{stuck(town)['id']}/retry"
    assert not wrong_cells({"system1"}, SEES_PERMIT, lambda name: town.client(name).post(path))


def test_who_is_asked_to_sign_sees_that_case_and_signs_and_nobody_else_learns_of_it(town: Town) -> None:
    story = town.hall.story(ITEM)
    task = story.task("register_application")["id"]
    town.client("counter1").post(f"/api/tasks/{task}/claim")
    found = town.client("counter1").get("/api/people?q=演示审批决定人").json()["people"]
    body = {"kind": "before", "accounts": [found[0]["account"]]}
    may_not = EVERYBODY - {"counter1"}
    told = {n: town.client(n).post(f"/api/tasks/{task}/add-signer", json=body).status_code for n in may_not}
    assert told == {n: 409 if n == "counter2" else 403 if n in OVERSEERS else 404 for n in may_not}
    assert town.client("counter1").post(f"/api/tasks/{task}/add-signer", json=body).status_code == 200
    path = f"/api/process-instances/{story.case}"
    sees = {name for name in EVERYBODY if town.client(name).get(path).is_success}
    assert sees == SEES_SHOP | {"head1"}
    [item] = town.client("head1").get("/api/tasks?assignee=me").json()["items"]
    signature = {"answers": {"position": "agree"}}
    others = EVERYBODY - {"head1"}
    told = {n: town.client(n).post(f"/api/tasks/{item['id']}/complete", json=signature).status_code for n in others}
    assert told == {n: 403 if n in SEES_SHOP else 404 for n in others}
    removal = {"account": found[0]["account"]}
    may_not = EVERYBODY - {"counter1", "supervisor1"}
    told = {n: town.client(n).post(f"/api/tasks/{task}/remove-signer", json=removal).status_code for n in may_not}
    assert told == {n: 403 if n in sees else 404 for n in may_not}
    assert town.client("head1").post(f"/api/tasks/{item['id']}/complete", json=signature).status_code == 200
    assert town.client("head1").get(path).is_success
    assert not town.client("head1").get(f"/api/process-instances/{town.shop.case}").is_success
    assert town.client("head1").get("/api/tasks?assignee=me").json()["items"] == []


def stuck(town: Town) -> dict[str, Any]:
    """A permit whose paper cannot be rendered, as the system administrator sees it."""
    if not (open_ones := town.client("system1").get("/api/incidents").json()["incidents"]):
        town.hall.work()
        town.application()
        for _ in range(5):
            with town.hall.office.store.transaction() as tx:
                for job in tx.claim_jobs(("render",), 10, timedelta(minutes=1)):
                    tx.fail_job(job, "template_failed")
            with town.hall.office.store.transaction() as tx:
                tx.advance_clock(timedelta(minutes=33))
        open_ones = town.client("system1").get("/api/incidents").json()["incidents"]
    found: dict[str, Any] = open_ones[0]
    return found


@pytest.mark.parametrize(("method", "path"), GENERAL)
def test_what_belongs_to_no_case(town: Town, method: str, path: str) -> None:
    def ask(name: str) -> Any:
        bodies: dict[str, dict[str, Any]] = {
            "/api/accounts": {"json": {"name": f"new{uuid4().hex[:8]}", "display_name": "新", "password": "x" * 12}},
            "/api/clock/advance": {"json": {"by": "PT1S"}},
            "/api/deployments": {"files": [("files", ("forms/notices/extra.txt", b"x"))]},
        }
        more = bodies.get(path, {}) if method == "POST" else {}
        return town.client(name).request(method, path, **more)

    may = GENERAL[method, path]
    assert not wrong_cells(may, EVERYBODY, ask)


def test_a_step_that_others_call_is_no_case_of_its_own(town: Town) -> None:
    before = len(town.client("supervisor1").get("/api/process-instances?limit=200").json()["items"])
    for step in ("intake", "examination_and_decision", "certification", "issue", "on_site_inspection"):
        for name in sorted(EVERYBODY):
            answer = town.client(name).post(f"/api/process-definitions/{step}/instances", json={})
            assert answer.status_code in (403, 422), (step, name, answer.text)
    assert len(town.client("supervisor1").get("/api/process-instances?limit=200").json()["items"]) == before


@pytest.mark.parametrize(
    "post", [("security_admin", "liwan"), ("decision_maker", "liwan/dept/market_regulation"), ("examiner", "liwan")]
)
def test_a_departments_security_administrator_gives_no_post_beyond_the_department(
    town: Town, post: tuple[str, str]
) -> None:
    role, scope = post
    new: dict[str, Any] = {"name": f"new{uuid4().hex[:8]}", "display_name": "新", "password": "x" * 12}
    new["memberships"] = [{"role": role, "scope": scope, "unit": "u", "post": "p"}]
    assert town.client("security2").post("/api/accounts", json=new).status_code == 403
    inside = {"role": "examiner", "scope": "liwan/dept/education", "unit": "u", "post": "p"}
    assert town.client("security2").post("/api/accounts", json={**new, "memberships": [inside]}).status_code == 201
    new["name"] += "b"
    assert town.client("security1").post("/api/accounts", json=new).status_code == 201


def test_a_process_with_an_endless_name_is_not_found_on_any_database(town: Town) -> None:
    # Not one word repeated: PostgreSQL would pack it until it fits into the index.
    path = f"/api/process-definitions/{''.join(uuid4().hex for _ in range(300))}/instances"
    answer = town.client("counter1").post(path, json={}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 404, answer.text
