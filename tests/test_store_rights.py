"""Rights in every query: role × scope, and nothing that is not one's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from engine.errors import Invalid, NotFound
from engine.model import SYSTEM, Actor, Event
from engine.store import Case, NewIncident, NewPaper, Store, new_id, queries
from tests.store_kit import HALL, changes, completed, person, registered, started, work

DEPARTMENT = "liwan/dept/market_regulation"


def _case(store: Store, *, role: str = "intake_clerk", scope: str = HALL, by: Actor | None = None) -> Case:
    with store.transaction() as tx:
        return started(tx, work(role=role, scope=scope), by=by.account if by else None, scope=scope)


def _list(store: Store, actor: Actor, **asked: object) -> list[object]:
    with store.reading() as reading:
        return [item.case_id for item in queries.worklist(reading, actor, **asked).items]  # type: ignore[arg-type]


def test_a_worklist_holds_the_tasks_of_ones_posts_and_no_others(store: Store) -> None:
    here, elsewhere = _case(store), _case(store, scope="liwan/hallway")
    other_role = _case(store, role="examiner")
    assert _list(store, person()) == [here.id]
    assert _list(store, person(scope="liwan/hallway")) == [elsewhere.id]
    assert set(_list(store, person(scope="liwan"))) == {here.id, elsewhere.id}
    assert _list(store, person(role="examiner")) == [other_role.id]
    assert _list(store, person(role="examiner", scope="liwan/dept")) == []
    assert _list(store, Actor(account=uuid4(), name="nobody", display_name="nobody")) == []


def test_wildcards_and_case_in_scopes_match_nothing_else(store: Store) -> None:
    _case(store, scope="liwan/dept/x")
    for scope in ("liwan/%", "liwan/dep_", "LIWAN", "liwan/Dept", ""):
        assert _list(store, person(scope=scope)) == []


def test_a_wide_post_reads_more_places_than_are_read_one_by_one(store: Store) -> None:
    cases = [_case(store, scope=f"liwan/street/{number:03d}") for number in range(30)]
    assert _list(store, person(scope="liwan/street"), limit=100) == [case.id for case in cases]
    assert _list(store, person(scope="liwan/street/007"), limit=100) == [cases[7].id]


def test_the_worklist_goes_on_where_the_page_ended(store: Store) -> None:
    for number in range(7):
        with store.transaction() as tx:
            due = datetime(2026, 12, 1 + number % 3, tzinfo=UTC) if number else None
            case = started(tx, work())
            tx.save(case, changes([Event(kind="deadline.started")], due_at=due))
    clerk, seen, after = person(), [], None
    with store.reading() as reading:
        whole = queries.worklist(reading, clerk, limit=50).items
        while True:
            page = queries.worklist(reading, clerk, limit=2, after=after)
            seen += page.items
            after = page.next
            if after is None:
                break
    assert [item.id for item in seen] == [item.id for item in whole]
    assert len(seen) == 7
    dues = [item.due_at for item in seen]
    assert dues[-1] is None
    assert dues[:-1] == sorted(due for due in dues if due)
    assert seen[0].title == "张三的申请"
    with store.reading() as reading, pytest.raises(Invalid):
        queries.worklist(reading, clerk, after="nonsense")


def test_a_claimed_task_leaves_the_others_worklists(store: Store) -> None:
    mine, rival = registered(store, name="mine"), person()
    case = _case(store)
    from engine.store import ClaimChange  # noqa: PLC0415

    with store.transaction() as tx:
        locked, task = tx.lock_task(case.tasks[0].id)
        claim = ClaimChange(id=task.id, by=mine.account, name=mine.name, at=tx.now())
        tx.save(locked, changes([Event(kind="task.claimed", input=True)], claims=(claim,)))
        assert locked.tasks[0].claimed_by == mine.account
    assert _list(store, mine) == _list(store, mine, view="mine") == [case.id]
    assert _list(store, rival) == _list(store, rival, view="mine") == []


def test_who_may_see_a_case(store: Store) -> None:
    starter = person(role="nothing", name="starter")
    case = _case(store, role="examiner", scope=DEPARTMENT, by=starter)
    may = [
        starter,
        person(role="examiner", scope=DEPARTMENT),
        person(role="examiner", scope="liwan"),
        person(role="supervisor", scope="liwan/dept"),
        person(role="auditor", scope="liwan"),
        SYSTEM,
    ]
    may_not = [
        person(role="examiner", scope="liwan/dept/education"),
        person(role="intake_clerk", scope=DEPARTMENT),
        person(role="supervisor", scope=HALL),
        person(role="system_admin", scope="liwan"),
        Actor(account=uuid4(), name="nobody", display_name="nobody"),
    ]
    with store.reading() as reading:
        for actor in may:
            assert queries.case_page(reading, actor, case.id).title == "张三的申请"
            assert [row.id for row in queries.cases(reading, actor).items] == [case.id]
            assert queries.history(reading, actor, case.id).items
            assert queries.task_page(reading, actor, case.tasks[0].id)[0].id == case.tasks[0].id
        for actor in may_not:
            assert queries.cases(reading, actor).items == ()
            for ask in (queries.case_page, queries.history, queries.positions):
                with pytest.raises(NotFound):
                    ask(reading, actor, case.id)
            with pytest.raises(NotFound):
                queries.task_page(reading, actor, case.tasks[0].id)


def test_a_closed_task_still_shows_the_case_to_its_post(store: Store) -> None:
    case = _case(store)
    with store.transaction() as tx:
        completed(tx, case.tasks[0].id, end=True)
    with store.reading() as reading:
        page = queries.case_page(reading, person(), case.id)
    assert (page.status, page.outcome, page.tasks[0].status) == ("ended", "granted", "completed")


def test_cases_are_found_by_business_key_and_paged(store: Store) -> None:
    with store.transaction() as tx:
        for number in range(5):
            started(tx, key=f"P-2026-{number}_%")
    with store.reading() as reading:
        first = queries.cases(reading, person(), limit=2)
        second = queries.cases(reading, person(), limit=2, after=first.next)
        last = queries.cases(reading, person(), limit=2, after=second.next)
        assert [row.business_key[7] for row in (*first.items, *second.items, *last.items)] == list("43210")
        assert last.next is None
        assert [row.business_key for row in queries.cases(reading, person(), text="26-3_").items] == ["P-2026-3_%"]
        assert queries.cases(reading, person(), text="%26").items == ()
        assert queries.cases(reading, person(), status="ended").items == ()


def test_papers_files_drafts_and_incidents_follow_the_case(store: Store) -> None:
    clerk, stranger = registered(store), person(role="examiner")
    case = _case(store)
    paper = NewPaper(id=new_id(), kind="receipt", title="收件凭证", template_digest="t" * 64, values={"who": "张三"})
    with store.transaction() as tx:
        digest = tx.put_attachment(clerk, "身份证.pdf", "application/pdf", b"x" * 700_000)
        assert tx.put_attachment(clerk, "again.pdf", "application/pdf", b"x" * 700_000) == digest
    with store.reading() as reading, pytest.raises(NotFound):
        reading.attachment(person(), digest)
    with store.transaction() as tx:
        locked, task = tx.lock_task(case.tasks[0].id)
        assert tx.unknown_attachments(case.id, stranger, [digest]) == {digest}
        assert tx.unknown_attachments(case.id, clerk, [digest]) == set()
        tx.put_draft(task.id, clerk, {"a": 1})
        tx.put_draft(task.id, clerk, {"a": 2})
        stuck = NewIncident(token=4, element="p/x", code="script_failed")
        told = [Event(kind="incident.raised", cause=0)]
        more = {"papers": (paper,), "incidents": (stuck,), "attachments": (digest,), "uploaded_by": clerk.account}
        tx.save(locked, changes(told, **more))
    with store.transaction() as tx:
        assert tx.put_rendered(paper.id, "<p>张三</p>") == tx.document(paper.id).digest
    with store.reading() as reading:
        assert reading.attachment(person(), digest).content == b"x" * 700_000
        assert reading.attachment(clerk, digest).name == "身份证.pdf"
        assert reading.draft(task.id, clerk) == {"a": 2}
        assert reading.draft(task.id, stranger) is None
        assert queries.document(reading, person(), paper.id).content == "<p>张三</p>"
        stuck_ones = queries.incidents(reading, person(role="system_admin", scope="liwan"))
        assert [incident.code for incident in stuck_ones] == ["script_failed"]
        assert queries.incidents(reading, stranger) == ()
        with pytest.raises(NotFound):
            reading.attachment(stranger, digest)
        with pytest.raises(NotFound):
            queries.document(reading, stranger, paper.id)
    with store.transaction() as tx:
        completed(tx, task.id)
    with store.reading() as reading:
        assert reading.draft(task.id, clerk) is None


def test_positions_are_folded_to_any_past_moment(store: Store) -> None:
    case = _case(store)
    with store.transaction() as tx:
        tx.advance_clock(timedelta(hours=1))
    with store.transaction() as tx:
        completed(tx, case.tasks[0].id)
    with store.reading() as reading:
        [now] = queries.positions(reading, person(), case.id)
        [then] = queries.positions(reading, person(), case.id, at=case.started_at + timedelta(minutes=1))
        assert queries.positions(reading, person(), case.id, at=case.started_at - timedelta(seconds=1)) == ()
    assert (now.element, now.token) == ("p/step_2", 2)
    assert (then.element, then.token, then.process_key) == ("p/step_1", 1, "p")
    assert then.since == case.started_at


def test_nothing_personal_is_readable_in_the_tables(store: Store) -> None:
    _case(store)
    clerk = registered(store)
    with store.transaction() as tx:
        case = started(tx)
        tx.put_draft(case.tasks[0].id, clerk, {"name": "张三"})
    with store.engine.connect() as connection:
        from engine.store.tables import metadata  # noqa: PLC0415

        for table in metadata.sorted_tables:
            for row in connection.execute(table.select()):
                text = "|".join(v.decode("utf8", "ignore") if isinstance(v, bytes) else str(v) for v in row)
                assert "张三" not in text, table.name
                assert "秘密" not in text, table.name
