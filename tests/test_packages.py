"""Cases leave the house as a package: complete, exactly as stored, and nothing altered comes back in."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from engine import commands as c
from engine.commands import packages
from engine.commands.packages import Written, export_case, export_cases, write_package
from engine.commands.signing import ChainSigning
from engine.commands.unpacking import Package, read_package
from engine.errors import Forbidden, Invalid, NotFound
from engine.model import SYSTEM
from engine.store import Chosen, Keys, Store, StoredEvent
from engine.store import tables as t
from tests.conftest import KEYS
from tests.district import make_district
from tests.town import SHOP, Town


def packed(town: Town, *cases: Any) -> bytes:
    out = io.BytesIO()
    write_package(town.office.store, cases, out)
    return out.getvalue()


def opened(content: bytes, **more: Any) -> Package:
    return read_package(io.BytesIO(content), signing=ChainSigning(KEYS), keys=KEYS, **more)


def events(package: Package) -> list[list[StoredEvent]]:
    return [list(found) for _, found in package.cases()]


def exported(town: Town, actor: str, chosen: Chosen) -> tuple[Written, Package]:
    out = io.BytesIO()
    written = export_cases(town.office, town[actor], chosen, out)
    return written, opened(out.getvalue())


# -- what is in it
def test_a_package_holds_every_event_as_it_is_stored_and_all_it_was_executed_by(town: Town) -> None:
    case = town.shop()
    package = opened(packed(town, case.case))
    [(head, found)] = [(head, list(rows)) for head, rows in package.cases()]
    told = c.history(town.office, town["auditor1"], case.case, limit=1000).items
    assert [event.row().hash for event in found] == [row.hash for row in told]
    assert [event.row().values for event in found] == [row.values for row in told]
    assert [event.row().detail for event in found] == [row.detail for row in told]
    assert (head.business_key, head.events) == (case.business_key, len(told))
    release = package.release(head.release)
    for part in (release.processes, release.forms, release.papers, release.notices, release.registers):
        assert part
        for digest in part.values():
            assert hashlib.sha256(package.artefact(digest)).hexdigest() == digest
    assert package.signature.good
    assert package.counts["cases"] == 1


def test_the_calendar_a_deadline_was_counted_by_goes_with_it(town: Town) -> None:
    case = town.shop()
    package = opened(packed(town, case.case))
    [rows] = [[event.row() for event in found] for _, found in package.cases()]
    versions = {row.detail["calendar_version"] for row in rows if row.kind == "deadline.started"}
    named = {row.detail["calendar"] for row in rows if row.input and "calendar" in row.detail}
    assert versions
    assert versions == named
    for version in versions:
        assert package.artefact(version).startswith(b"date,workday")


def test_cases_are_chosen_by_number_by_process_and_by_when_they_changed(town: Town) -> None:
    first, second = town.shop(), town.shop()
    permit = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    assert exported(town, "auditor1", Chosen())[0].cases == 3
    assert exported(town, "auditor1", Chosen(process_key=SHOP))[0].cases == 2
    _, package = exported(town, "auditor1", Chosen(business_keys=(second.business_key,)))
    assert [head.id for head, _ in package.cases()] == [second.case]
    town.advance(days=1)
    moment = c.now(town.office)
    c.complete_task(town.office, town["registrar1"], first.tasks[0].id, a_registration())
    _, package = exported(town, "auditor1", Chosen(since=moment))
    assert [head.id for head, _ in package.cases()] == [first.case]
    assert permit.case not in [head.id for head, _ in package.cases()]


def a_registration() -> dict[str, Any]:
    from tests.processes import answers as a  # noqa: PLC0415

    return a.REGISTERED


def test_cases_fill_several_parts_none_of_which_cuts_one_in_two(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [town.shop().case for _ in range(3)]
    monkeypatch.setattr(packages, "PART_BYTES", 1)
    content = packed(town, *cases)
    names = [name for name in zipfile.ZipFile(io.BytesIO(content)).namelist() if name.startswith("cases/")]
    assert len(names) == 3
    assert [head.id for head, _ in opened(content).cases()] == cases


# -- who may, and what is recorded
def test_only_an_auditor_takes_cases_away_and_both_are_recorded(town: Town) -> None:
    case = town.shop()
    with pytest.raises(Forbidden):
        exported(town, "counter1", Chosen())
    with pytest.raises(Forbidden):
        export_case(town.office, town["counter1"], case.case, io.BytesIO())
    with pytest.raises(NotFound):
        exported(town, "auditor1", Chosen(business_keys=("no such case",)))
    written, _ = exported(town, "auditor1", Chosen(business_keys=(case.business_key,)))
    with town.office.store.reading() as reading:
        rows = reading.execute(sa.select(t.event).where(t.event.c.kind == "cases.exported")).all()
        refused = sa.select(t.event.c.detail).where(t.event.c.kind == "attempt.refused")
        reasons = [json.loads(detail) for detail in reading.execute(refused).scalars()]
    [row] = rows
    assert row.stream.startswith("access:")
    assert row.actor_account == town["auditor1"].account
    assert json.loads(row.detail)["package"] == written.digest
    assert [(each["verb"], each["reason"]) for each in reasons] == [
        ("export", "Forbidden"),
        ("export", "Forbidden"),
        ("export", "NotFound"),
    ]


def test_the_command_line_takes_all_cases(town: Town) -> None:
    town.shop()
    out = io.BytesIO()
    assert export_cases(town.office, SYSTEM, Chosen(), out).cases == 1
    assert len(events(opened(out.getvalue()))) == 1


def test_an_erased_case_keeps_its_chain_and_gives_no_values(town: Town) -> None:
    case = town.shop()
    with town.office.store.transaction() as tx:
        gone = {"wrapped": None, "erased_at": tx.now() + timedelta(seconds=1)}
        tx.execute(t.data_key.update().where(t.data_key.c.id == case.case).values(gone))
    package = opened(packed(town, case.case))
    [(head, found)] = [(head, list(rows)) for head, rows in package.cases()]
    assert head.erased
    assert head.title == ""
    assert any(event.erased for event in found)
    assert all(event.values is None for event in found)
    assert package.counts["erased"] == 1


# -- what is not believed
def rebuilt(content: bytes, change: Callable[[str, bytes], bytes | None], signed: bool = False) -> bytes:
    """The package with members changed; ``signed``: by somebody who holds the key and corrects the manifest."""
    old, out = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    members = {name: change(name, old.read(name)) for name in old.namelist()}
    if signed:
        manifest = json.loads(members["manifest.json"] or b"")
        for each in manifest["members"]:
            body = members[each["name"]] or b""
            each |= {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        text = json.dumps(manifest).encode()
        signing = ChainSigning(KEYS)
        signature = {"algorithm": signing.algorithm, "key": signing.key_id, "signature": signing.sign(text).hex()}
        members |= {"manifest.json": text, "signature.json": json.dumps(signature).encode()}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in members.items():
            if body is not None:
                file.writestr(name, body)
    return out.getvalue()


def refused(content: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        events(opened(content))
    [finding] = caught.value.findings
    return finding.en


def test_whatever_is_altered_is_found(sqlite: Store) -> None:
    town = Town(sqlite)
    content = packed(town, town.shop().case)
    assert len(events(opened(content))) == 1

    def changed(part: str, old: bytes, new: bytes) -> bytes:
        def change(name: str, body: bytes) -> bytes:
            return body.replace(old, new) if name.startswith(part) else body

        return rebuilt(content, change)

    assert refused(changed("cases/", b"milestone", b"milestonE")) == "content and manifest disagree"
    assert refused(changed("artefacts/", b"bpmn", b"bpmm")) == "content and manifest disagree"
    assert refused(changed("manifest", b'"cases":1', b'"cases":2')) == "is not the manifest's"
    assert refused(changed("signature", b'"signature":"', b'"signature":"00')) == "is not the manifest's"
    assert opened(changed("signature", b"hmac", b"none")).signature.good is None


def test_an_unknown_key_is_said_and_not_taken_for_a_good_one(sqlite: Store) -> None:
    town = Town(sqlite)
    content = packed(town, town.shop().case)
    other = ChainSigning(Keys(chain=b"x" * 32, sealing=b"y" * 32, chain_id="another"))
    assert read_package(io.BytesIO(content), signing=other).signature.good is None
    assert read_package(io.BytesIO(content)).signature.good is None


def test_who_holds_the_signing_key_still_cannot_alter_values_or_events(sqlite: Store) -> None:
    town = Town(sqlite)
    content = packed(town, town.shop().case)

    def lines(change: Callable[[list[dict[str, Any]]], None]) -> bytes:
        def rewrite(name: str, body: bytes) -> bytes:
            if not name.startswith("cases/"):
                return body
            rows = [json.loads(line) for line in body.splitlines()]
            change(rows)
            return b"".join(json.dumps(row).encode() + b"\n" for row in rows)

        return rebuilt(content, rewrite, signed=True)

    def valued(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return next(row for row in rows if "values" in row)

    assert len(events(opened(lines(lambda rows: None)))) == 1
    assert "committed" in refused(lines(lambda rows: valued(rows)["values"].update(more=1)))
    assert "follow" in refused(lines(lambda rows: rows.pop(3)))
    assert "hash" in refused(lines(lambda rows: rows[3].update(kind="other")))
    assert "missing" in refused(lines(lambda rows: rows.pop()))
    assert "read" in refused(lines(lambda rows: rows[2].update(nonsense=1)))
    assert "read" in refused(lines(lambda rows: rows[2].update(number="1")))
    assert "read" in refused(lines(lambda rows: rows[2].pop("hash")))
    assert "begin" in refused(lines(lambda rows: rows.pop(0)))


def test_files_that_are_no_honest_package_are_refused(sqlite: Store, tmp_path) -> None:  # type: ignore[no-untyped-def]
    town = Town(sqlite)
    content = packed(town, town.shop().case)

    def added(name: str, body: bytes) -> bytes:
        out = io.BytesIO(content)
        with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, body)
        return out.getvalue()

    assert refused(b"") == "no package: not a zip file"
    assert refused(content[: len(content) // 2]) == "no package: not a zip file"
    assert "no package holds" in refused(added("../../etc/passwd", b"x"))
    assert "no package holds" in refused(added("/absolute", b"x"))
    assert "disagree" in refused(added("artefacts/" + "0" * 64, b"x"))
    with pytest.warns(UserWarning, match="Duplicate"):
        doubled = added("manifest.json", b"{}")
    assert "one name" in refused(doubled)
    assert "unpacked" in refused(added("artefacts/" + "1" * 64, bytes(600_000_000)))
    assert "missing" in refused(rebuilt(content, lambda n, body: None if n == "signature.json" else body))
    assert "disagree" in refused(rebuilt(content, lambda n, body: None if n.startswith("artefacts/") else body))
    for garbage in (b"[]", b"{}", b"null", b'{"format":"sanwei-package","version":2}', b"[" * 100_000):
        swapped = rebuilt(content, lambda n, body, g=garbage: g if n == "manifest.json" else body)  # type: ignore[misc]
        assert refused(swapped) != ""


# -- over HTTP
def test_an_auditor_downloads_one_case_and_nobody_else_does(tmp_path) -> None:  # type: ignore[no-untyped-def]
    district = make_district(tmp_path)
    case, _ = district.start(district.client("intake"))
    answer = district.client("audit").get(f"/api/process-instances/{case}/package")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    package = read_package(io.BytesIO(answer.content))
    assert [str(head.id) for head, _ in package.cases()] == [case]
    assert district.client("intake").get(f"/api/process-instances/{case}/package").status_code == 403
    assert district.client("elsewhere").get(f"/api/process-instances/{case}/package").status_code == 404
