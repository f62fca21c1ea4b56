"""Checkpoints: signed, each following the one before, copied outside; what contradicts them is found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine import commands as c
from engine import worker
from engine.connectors import Folder, Undeliverable
from engine.errors import NotFound
from engine.model import Event
from engine.store import Store, checkpoints, merkle, verify
from engine.store.checkpoint_tables import checkpoint, checkpoint_leaf
from engine.store.history import case_stream
from engine.store.verify_checkpoints import Copy
from tests.store_kit import completed, registered, started


def _told(store: Store, stream: str = "definition:") -> None:
    with store.transaction() as tx:
        tx.append(stream, [Event(kind="library.published", input=True)])


def _copies(folder: Path) -> list[Copy]:
    return [Copy(name=name, content=content) for name, content in Folder(folder).copies()]


def _copied(store: Store, folder: Path) -> int:
    return worker.copy_checkpoints(c.Office(store), Folder(folder))


def _faults(store: Store, folder: Path | None = None) -> list[tuple[str, int, str]]:
    outside = None if folder is None else _copies(folder)
    return [(f.stream, f.number, f.what) for f in verify.verify(store, outside=outside).faults]


# -- the tree
def test_the_tree_is_the_one_of_rfc_6962() -> None:
    # The published test vectors of certificate transparency: eight leaves, and the roots over the first n of them.
    texts = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [merkle.leaf_hash(bytes.fromhex(text)) for text in texts]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    assert {size: merkle.root(leaves[:size]).hex() for size in roots} == roots


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_a_path_proves_its_leaf_and_no_other(size: int) -> None:
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    for place, leaf in enumerate(leaves):
        path = merkle.path(leaves, place)
        assert merkle.root_by(leaf, place, size, path) == merkle.root(leaves)
        assert merkle.root_by(merkle.leaf_hash(b"other"), place, size, path) != merkle.root(leaves)
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.root_by(leaves[0], size, size, [])


# -- making them
def test_each_checkpoint_holds_what_changed_and_names_the_one_before(store: Store) -> None:
    _told(store)
    _told(store, "clock:")
    assert checkpoints.make(store) == [1]
    assert checkpoints.make(store) == []
    _told(store)
    assert checkpoints.make(store) == [2]
    with store.reading() as reading:
        rows = reading.execute(sa.select(checkpoint).order_by(checkpoint.c.number)).all()
        assert [leaf.stream for leaf in checkpoints.leaves_of(reading, 1)] == ["clock:", "definition:"]
        assert [(leaf.stream, leaf.events) for leaf in checkpoints.leaves_of(reading, 2)] == [("definition:", 2)]
    first, second = (checkpoints.Checkpoint(record=row.record, signature=row.signature) for row in rows)
    assert first.facts()["previous"] is None
    assert second.facts()["previous"] == first.digest
    assert (second.facts()["algorithm"], second.facts()["tree"]) == ("ed25519", "rfc6962-sha256")
    assert _faults(store) == []


def test_very_many_heads_take_several_checkpoints(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        _told(store, f"register:{number}")
    monkeypatch.setattr(checkpoints, "MOST_LEAVES", 2)
    assert checkpoints.make(store) == [1, 2, 3]
    assert _faults(store) == []


def test_a_young_checkpoint_is_enough_for_all_workers(store: Store) -> None:
    _told(store)
    assert checkpoints.make(store, not_before=timedelta(hours=1)) == [1]
    _told(store)
    assert checkpoints.make(store, not_before=timedelta(hours=1)) == []
    with store.transaction() as tx:
        tx.advance_clock(timedelta(hours=2))
    assert checkpoints.make(store, not_before=timedelta(hours=1)) == [2]


def test_a_proof_shows_that_a_checkpoint_holds_a_case(store: Store) -> None:
    clerk = registered(store)
    with store.transaction() as tx:
        case = started(tx, by=clerk.account)
    with pytest.raises(NotFound):
        checkpoints.proof(store, case_stream(case.id))
    checkpoints.make(store)
    proof = checkpoints.proof(store, case_stream(case.id))
    assert proof.holds()
    assert (proof.leaf.events, proof.leaf.head) == (case.events, case.head)
    assert checkpoints.is_signed(proof.checkpoint, store.keys.chain)
    assert not checkpoints.is_signed(proof.checkpoint, b"z" * 32)
    forged = checkpoints.Leaf(proof.leaf.stream, proof.leaf.events, b"x" * 32)
    facts = {name: getattr(proof, name) for name in ("checkpoint", "place", "path")}
    assert not checkpoints.Proof(leaf=forged, **facts).holds()


# -- outside
def test_a_copy_is_kept_once_and_never_replaced(tmp_path: Path) -> None:
    place = Folder(tmp_path / "copies")
    place.put(1, b"one\n")
    place.put(1, b"one\n")
    with pytest.raises(Undeliverable) as refused:
        place.put(1, b"two\n")
    assert refused.value.code == "another_is_there"
    assert list(place.copies()) == [("checkpoint-00000001.jsonl", b"one\n")]
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["checkpoint-00000001.jsonl"]


def test_the_worker_makes_checkpoints_and_copies_them(store: Store, tmp_path: Path) -> None:
    _told(store)
    one = worker.Worker(c.Office(store), _Nobody(), Folder(tmp_path), timedelta(0))
    one._checkpoints()
    assert [copy.name for copy in _copies(tmp_path)] == ["checkpoint-00000001.jsonl"]
    assert _faults(store, tmp_path) == []


def test_a_copy_that_fails_is_tried_again_and_seen_by_who_keeps_the_system(store: Store, tmp_path: Path) -> None:
    admin = registered(store, "system_admin", "liwan", "admin")
    clerk = registered(store, name="other")
    checkpoints.make(store)
    for _ in range(checkpoints.OFTEN):
        assert worker.copy_checkpoints(c.Office(store), _Full()) == 0
        assert worker.copy_checkpoints(c.Office(store), _Full()) == 0  # not before its time
        with store.transaction() as tx:
            tx.advance_clock(timedelta(hours=2))
    [failing] = c.uncopied_checkpoints(c.Office(store), admin)
    assert (failing.number, failing.code, failing.attempts) == (1, "folder_28", checkpoints.OFTEN)
    assert c.uncopied_checkpoints(c.Office(store), clerk) == ()
    assert _copied(store, tmp_path) == 1
    assert c.uncopied_checkpoints(c.Office(store), admin) == ()


class _Nobody:
    def send(self, number: UUID, to: str, text: str) -> None:
        raise AssertionError("nothing to send")


class _Full:
    def put(self, number: int, content: bytes) -> None:
        raise Undeliverable("folder_28")

    def copies(self) -> Any:
        return iter(())


# -- what contradicts them
def _history(store: Store, folder: Path) -> str:
    clerk = registered(store)
    with store.transaction() as tx:
        case = started(tx, by=clerk.account)
    checkpoints.make(store)
    for _ in range(2):
        with store.transaction() as tx:
            case = completed(tx, case.tasks[0].id, clerk)
        checkpoints.make(store)
    _copied(store, folder)
    assert _faults(store, folder) == []
    return case_stream(case.id)


def _first(folder: Path, change: Callable[[bytes], bytes]) -> None:
    path = folder / "checkpoint-00000001.jsonl"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(change(content))


CONTRADICTIONS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a copy gone": (lambda folder: (folder / "checkpoint-00000002.jsonl").unlink(), "its copy outside is missing"),
    "the last copy gone": (
        lambda folder: (folder / "checkpoint-00000003.jsonl").unlink(),
        "its copy outside is missing",
    ),
    "a copy changed": (
        lambda folder: _first(folder, lambda content: content.replace(b'"leaves\\":', b'"leaves\\":1')),
        "the checkpoint is not signed with a key of ours",
    ),
    "a leaf changed": (
        lambda folder: _first(folder, lambda content: content[:-10] + b'0000000"]\n'),
        "its leaves are not",
    ),
    "a leaf gone": (lambda folder: _first(folder, lambda c: b"\n".join(c.splitlines()[:-1])), "its leaves are not"),
    "no copy at all": (lambda folder: _first(folder, lambda _: b"\xff"), "the copy of a checkpoint cannot be read"),
    "a copy twice": (
        lambda folder: shutil.copy(folder / "checkpoint-00000001.jsonl", folder / "checkpoint-00000009.jsonl"),
        "two copies of one checkpoint",
    ),
}


@pytest.mark.parametrize(("change", "what"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_copy_that_was_touched_is_found(
    sqlite: Store, tmp_path: Path, change: Callable[[Path], Any], what: str
) -> None:
    _history(sqlite, tmp_path)
    change(tmp_path)
    assert any(found.startswith(what) for _, _, found in _faults(sqlite, tmp_path))


def test_a_database_set_back_is_found(sqlite: Store, tmp_path: Path) -> None:
    file = Path(sqlite.engine.url.database or "")
    folder = tmp_path / "copies"
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    sqlite.close()
    shutil.copy(file, tmp_path / "before.db")
    stream = _history(sqlite, folder)
    sqlite.close()
    for path in tmp_path.glob("sanwei.db*"):
        path.unlink()
    shutil.copy(tmp_path / "before.db", file)
    assert _faults(sqlite) == []  # nothing in it says so
    found = _faults(sqlite, folder)
    assert any(where == stream and "no longer there" in what for where, _, what in found)
    assert ("", 3, "the database no longer holds a checkpoint that was copied") in found


def test_a_checkpoint_signed_by_another_is_found(store: Store) -> None:
    _told(store)
    forger = Store(store.engine, type(store.keys)(chain=b"z" * 32, sealing=store.keys.sealing, chain_id="test"))
    checkpoints.make(forger)
    assert _faults(store) == [("", 1, "the checkpoint is not signed with a key of ours")]


def test_leaves_that_were_changed_with_their_stream_are_found(store: Store, tmp_path: Path) -> None:
    _history(store, tmp_path)
    with store.engine.begin() as connection:
        connection.execute(checkpoint_leaf.delete().where(checkpoint_leaf.c.checkpoint == 2))
        connection.execute(checkpoint.delete().where(checkpoint.c.number == 2))
    found = {what for _, _, what in _faults(store, tmp_path)}
    assert "checkpoints before it are missing" in found
    assert "the database no longer holds a checkpoint that was copied" in found
