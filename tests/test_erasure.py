"""The end of keeping: two people erase a case, nothing personal can be read again, and the evidence stays whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine import commands as c
from engine.errors import (
    CaseNotEnded,
    Erased,
    Forbidden,
    Invalid,
    LegalHold,
    NotFound,
    NothingProposed,
    RetentionRuns,
    SameActorNotAllowed,
)
from engine.model import SYSTEM, Library, Membership, Once
from engine.store import Store, queries, verify
from engine.store import tables as t
from tests.district import PASSWORD, PERMIT, make_district
from tests.processes import answers as a
from tests.test_commands import Town

PAST = date(2020, 1, 1)
BASIS = "《保管期限表》第三条"


@pytest.fixture
def town(store: Store) -> Iterator[Town]:
    return Town(store)


def _with(file: str) -> dict[str, Any]:
    answers = a.food_application()
    answers["safety_staff"][0]["appointment"] = file
    return answers


def ended(town: Town) -> UUID:
    """A withdrawn application with a file, a paper, a text message and a draft's traces."""
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    task = begun.tasks[0].id
    c.save_draft(town.office, town["counter1"], task, {"note": "秘密草稿"})
    file = c.attach_file(
        town.office, town["counter1"], task, name="秘密.pdf", media_type="application/pdf", content=b"secret" * 9
    )
    answers = _with(file)
    once = Once(key="k", route="complete", digest="d")
    c.complete_task(town.office, town["counter1"], task, answers, once=once)
    c.withdraw_case(town.office, town["counter1"], begun.case, "申请人改变计划")
    while town.worker.once():
        pass
    return begun.case


def erased(town: Town) -> UUID:
    case = ended(town)
    c.propose_erasure(town.office, town["archivist1"], case, basis=BASIS, kept_until=PAST)
    c.erase_case(town.office, town["archivist2"], case)
    return case


def faults(town: Town) -> list[str]:
    return [f"{f.stream} {f.number} {f.row}: {f.what}" for f in verify.verify(town.office.store).faults]


def test_nothing_personal_is_left_and_the_evidence_is_whole(town: Town) -> None:
    other = town.shop()
    case = erased(town)
    store = town.office.store
    with store.reading() as reading:
        assert reading.data_key(case) is None
        assert reading.execute(sa.select(t.event_value).where(t.event_value.c.stream == f"case:{case}")).all() == []
        row = reading.execute(sa.select(t.process_instance).where(t.process_instance.c.id == case)).one()
        assert (row.sealed_title, row.sealed_state) == (None, None)
        for queue in (t.job, t.outbox):
            assert set(reading.execute(sa.select(queue.c.sealed).where(queue.c.case_id == case)).scalars()) <= {b""}
        paper = reading.execute(sa.select(t.document).where(t.document.c.case_id == case)).first()
        assert (paper.sealed_values, paper.sealed_content) == (b"", None)
        assert paper.digest
        assert reading.execute(sa.select(t.attachment_chunk)).all() == []
        assert reading.execute(sa.select(t.attachment.c.wrapped, t.attachment.c.sealed_name)).all() == [(None, b"")]
        assert reading.execute(sa.select(t.idempotency).where(t.idempotency.c.case_id == case)).all() == []
    assert faults(town) == []
    assert c.case_view(town.office, town["auditor1"], other.case).variables


def test_what_still_waited_to_be_rendered_or_sent_is_over(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], begun.tasks[0].id, a.food_application())
    case = c.withdraw_case(town.office, town["counter1"], begun.case, "申请人改变计划").case
    with town.office.store.reading() as reading:
        assert reading.unfinished() > 0
    c.propose_erasure(town.office, town["archivist1"], case, basis=BASIS, kept_until=PAST)
    c.erase_case(town.office, town["archivist2"], case)
    with town.office.store.reading() as reading:
        assert reading.unfinished() == 0
    assert town.worker.once() == 0
    assert faults(town) == []


def test_history_says_that_it_was_erased_on_which_basis_and_by_whom(town: Town) -> None:
    case = erased(town)
    view = c.case_view(town.office, town["auditor1"], case)
    assert (view.title, view.variables) == ("", {})
    rows = c.history(town.office, town["auditor1"], case, limit=1000).items
    assert rows[0].erased
    assert rows[0].values is None
    last = rows[-1]
    assert (last.kind, last.detail["basis"], last.detail["kept_until"]) == ("case.erased", BASIS, "2020-01-01")
    assert last.actor is not None
    assert last.actor.account == town["archivist2"].account
    proposed = next(row for row in rows if row.number == last.detail["proposal"])
    assert proposed.actor is not None
    assert proposed.actor.account == town["archivist1"].account
    with pytest.raises(NotFound), town.office.store.reading() as reading:
        queries.document(reading, town["auditor1"], view.documents[0].id)


def test_who_proposed_it_cannot_approve_it(town: Town) -> None:
    case = ended(town)
    with pytest.raises(NothingProposed):
        c.erase_case(town.office, town["archivist2"], case)
    c.propose_erasure(town.office, town["archivist1"], case, basis=BASIS, kept_until=PAST)
    with pytest.raises(SameActorNotAllowed):
        c.erase_case(town.office, town["archivist1"], case)
    assert c.case_view(town.office, town["auditor1"], case).variables
    assert faults(town) == []


def test_only_archivists_may_and_nobody_else_learns_of_the_case(town: Town) -> None:
    case = ended(town)
    for verb in (c.erase_case, lambda *who: c.propose_erasure(*who, basis=BASIS, kept_until=PAST)):
        with pytest.raises(Forbidden):
            verb(town.office, town["auditor1"], case)
        with pytest.raises(NotFound):
            verb(town.office, town["designer1"], case)


def test_a_case_is_kept_while_it_runs_is_held_or_its_term_runs(town: Town) -> None:
    running = town.shop().case
    keeper, second = town["archivist1"], town["archivist2"]
    with pytest.raises(CaseNotEnded):
        c.propose_erasure(town.office, keeper, running, basis=BASIS, kept_until=PAST)
    case = ended(town)
    with pytest.raises(RetentionRuns):
        c.propose_erasure(town.office, keeper, case, basis=BASIS, kept_until=date(2099, 1, 1))
    with pytest.raises(Invalid):
        c.propose_erasure(town.office, keeper, case, basis=" ", kept_until=PAST)
    c.propose_erasure(town.office, keeper, case, basis=BASIS, kept_until=PAST)
    c.place_hold(town.office, keeper, case, "行政复议")
    with pytest.raises(LegalHold):
        c.erase_case(town.office, second, case)
    c.lift_hold(town.office, keeper, case, "复议终结")
    with pytest.raises(NotFound):
        c.lift_hold(town.office, keeper, case, "再次")
    c.erase_case(town.office, second, case)
    with pytest.raises(Erased):
        c.place_hold(town.office, keeper, case, "太晚")
    with pytest.raises(Erased):
        c.erase_case(town.office, second, case)
    assert faults(town) == []


def test_the_districts_own_terms_count_as_well(town: Town) -> None:
    table = "process,years,citation\nfood_business_permit,10,本区保管期限表\n".encode()
    path = "processes/registers/retention.csv"
    c.publish(town.office, town["designer1"], Library({path: table}), alone=False)
    case = ended(town)
    with pytest.raises(RetentionRuns) as refused:
        c.propose_erasure(town.office, town["archivist1"], case, basis=BASIS, kept_until=PAST)
    assert int(refused.value.facts["until"][:4]) - 10 in (2025, 2026, 2027)
    town.advance(days=3655)
    c.propose_erasure(town.office, town["archivist1"], case, basis=BASIS, kept_until=PAST)


def test_a_file_another_case_holds_stays_readable_there(town: Town) -> None:
    case = ended(town)
    store = town.office.store
    with store.reading() as reading:
        file = reading.execute(sa.select(t.attachment.c.id, t.attachment.c.digest)).one()
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], begun.tasks[0].id, _with(f"sha256:{file.digest}"))
    c.propose_erasure(town.office, town["archivist1"], case, basis=BASIS, kept_until=PAST)
    c.erase_case(town.office, town["archivist2"], case)
    assert c.attachment(town.office, town["counter1"], f"sha256:{file.digest}").content == b"secret" * 9
    assert faults(town) == []


def test_what_is_tried_on_an_erased_case_is_refused_and_recorded(town: Town) -> None:
    case = erased(town)
    with pytest.raises(Exception, match="ended"):
        c.withdraw_case(town.office, town["counter1"], case, "再次")
    assert town.kinds(case)[-1] == "attempt.refused"
    assert faults(town) == []


def test_the_same_request_to_erase_twice_has_one_answer(town: Town) -> None:
    case = ended(town)
    c.propose_erasure(town.office, town["archivist1"], case, basis=BASIS, kept_until=PAST)
    once = Once(key="e", route="erase", digest="x")
    first = c.erase_case(town.office, town["archivist2"], case, once=once)
    assert c.erase_case(town.office, town["archivist2"], case, once=once) == first


def test_no_trace_of_the_applicant_is_in_the_file(tmp_path: Path, sqlite: Store) -> None:
    town = Town(sqlite)
    erased(town)
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    content = Path(sqlite.engine.url.database or "").read_bytes()
    for word in ("秘密", a.PHONE):
        assert word.encode() not in content


def test_it_is_done_over_the_interface_by_two(tmp_path: Path) -> None:
    district = make_district(tmp_path)
    for name in ("keeper1", "keeper2"):
        post = Membership(role="archivist", scope="liwan", unit="liwan", post="档案管理员")
        c.create_account(district.office, SYSTEM, name=name, display_name=name, password=PASSWORD, memberships=(post,))
    intake, one, two = (district.client(name) for name in ("intake", "keeper1", "keeper2"))
    begun = intake.post(f"/api/process-definitions/{PERMIT}/instances", json={}).json()
    case = f"/api/process-instances/{begun['case']}"
    answers = {"answers": a.food_application()}
    assert intake.post(f"/api/tasks/{begun['tasks'][0]['id']}/complete", json=answers).status_code == 200
    why = {"basis": BASIS, "kept_until": "2020-01-01"}
    assert one.post(f"{case}/propose-erasure", json=why).json()["code"] == "case_not_ended"
    assert intake.post(f"{case}/withdraw", json={"reason": "因故"}).status_code == 200
    assert intake.post(f"{case}/propose-erasure", json=why).status_code == 403
    assert one.post(f"{case}/hold", json={"reason": "审计"}).status_code == 200
    assert one.post(f"{case}/propose-erasure", json=why).json()["code"] == "legal_hold"
    assert one.post(f"{case}/lift-hold", json={"reason": "审计结束"}).status_code == 200
    assert one.post(f"{case}/propose-erasure", json=why).status_code == 200
    assert one.post(f"{case}/erase").json()["code"] == "same_actor_not_allowed"
    assert two.post(f"{case}/erase").status_code == 200
    assert intake.get(case).json()["variables"] == {}
    assert verify.verify(district.office.store).faults == ()
