"""Every reading of a case is recorded, found by the case, shown to its auditors, and holds nobody up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine import commands as c
from engine.errors import Forbidden, Invalid, NotFound
from engine.store import Store, accesses, verify
from engine.store.tables import stream_head
from tests.district import ITEM, PASSWORD, make_district
from tests.store_kit import registered
from tests.test_commands import Town
from tests.test_pages import Form


@pytest.fixture
def town(store: Store) -> Iterator[Town]:
    return Town(store)


def test_an_auditor_sees_who_read_what_of_a_case(town: Town) -> None:
    case, other = town.shop().case, town.shop().case
    before = len(c.accesses(town.office, town["auditor1"], case).items)
    c.case_view(town.office, town["counter1"], case)
    c.case_view(town.office, town["counter1"], other)
    c.history(town.office, town["supervisor1"], case)
    found = c.accesses(town.office, town["auditor1"], case).items
    # The auditor's own first look counts as well.
    told = [(row.what, row.actor.name) for row in found[: len(found) - before]]
    names = {who: town[who].display_name for who in ("counter1", "supervisor1", "auditor1")}
    assert told == [
        ("history", names["supervisor1"]),
        ("case", names["counter1"]),
        ("accesses", names["auditor1"]),
    ]
    assert verify.verify(town.office.store).faults == ()


def test_only_who_audits_the_case_sees_it(town: Town) -> None:
    case = town.shop().case
    with pytest.raises(Forbidden):
        c.accesses(town.office, town["supervisor1"], case)
    with pytest.raises(NotFound):
        c.accesses(town.office, town["designer1"], case)
    with pytest.raises(Invalid):
        c.accesses(town.office, town["auditor1"], case, after="nowhere")


def test_readings_come_in_pages(town: Town) -> None:
    case = town.shop().case
    for _ in range(5):
        c.case_view(town.office, town["counter1"], case)
    with town.office.store.reading() as reading:
        whole = accesses.accesses(reading, town["auditor1"], case).items
        pages, after = [], None
        while True:
            page = accesses.accesses(reading, town["auditor1"], case, after=after, limit=2)
            pages += page.items
            after = page.next
            if after is None:
                break
    assert tuple(pages) == whole
    assert len(whole) == 5


def test_threads_read_side_by_side_and_no_reading_is_lost(store: Store) -> None:
    clerk = registered(store)
    threads = [threading.Thread(target=_reads, args=(store, clerk, 10)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = sa.select(sa.func.sum(stream_head.c.events)).where(stream_head.c.stream.startswith("access:"))
    with store.reading() as reading:
        assert reading.execute(found).scalar_one() == 80
    assert verify.verify(store).faults == ()


def _reads(store: Store, clerk, number: int) -> None:  # type: ignore[no-untyped-def]
    for _ in range(number):
        store.record_access(clerk, UUID(int=1), "case")


def test_the_interface_and_the_page_show_them(tmp_path: Path) -> None:
    district = make_district(tmp_path)
    intake = district.client("intake")
    begun = intake.post(f"/api/process-definitions/{ITEM}/instances", json={}).json()["case"]
    intake.get(f"/api/process-instances/{begun}")
    audit = district.client("audit")
    told = audit.get(f"/api/process-instances/{begun}/accesses").json()
    assert [(row["what"], row["actor"]["name"]) for row in told["items"]] == [("case", "测试intake")]
    assert intake.get(f"/api/process-instances/{begun}/accesses").status_code == 403
    browser = district.client()
    fields = dict(Form(browser.get("/login").text, "/login").pairs) | {"name": "audit", "password": PASSWORD}
    browser.post("/login", data=fields)
    assert f"/cases/{begun}/accesses" in browser.get(f"/cases/{begun}/history").text
    assert "测试intake" in browser.get(f"/cases/{begun}/accesses").text
