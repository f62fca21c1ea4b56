"""Keys: rings with one in use; history itself introduces new ones; old ones open and verify but sign no more."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.keyring import add_key, coming_key, promoted, read_keys, use_key
from api.settings import Settings
from engine import commands as c
from engine.commands import keys as verbs
from engine.errors import Forbidden
from engine.model import SYSTEM, Event, Once
from engine.store import Keys, Store, queries, verify
from engine.store.rewrapping import wrapped_keys
from tests.conftest import KEYS
from tests.store_kit import completed, person, registered, started

NEW = Keys(chain=b"n" * 32, sealing=b"s" * 32, chain_id="new", other_chain={"test": KEYS.chain}, root_id="test")
BOTH = promoted(NEW, "chain", "test")


def _as(store: Store, keys: Keys) -> Store:
    return Store(store.engine, keys)


def _told(store: Store) -> None:
    with store.transaction() as tx:
        tx.append("definition:", [Event(kind="library.published", input=True)])


def _what(store: Store) -> list[tuple[str, int, str]]:
    return [(f.stream, f.number, f.what) for f in verify.verify(store).faults]


# -- chain keys
def test_a_key_introduced_and_put_in_use_signs_from_then_on(store: Store) -> None:
    old, new = _as(store, BOTH), _as(store, NEW)
    _told(old)
    verbs.introduce_chain_key(c.Office(old), SYSTEM, "new")
    verbs.use_chain_key(c.Office(new), SYSTEM, "new")
    _told(new)
    _told(old)  # a command under way on a server that was not started again yet
    assert _what(new) == []
    assert _what(old) == []


def test_a_key_nobody_introduced_is_refused(store: Store) -> None:
    _told(_as(store, BOTH))
    _told(_as(store, NEW))
    assert _what(_as(store, NEW)) == [("definition:", 2, "signed under a key that was not introduced before")]


def test_a_key_used_before_it_was_introduced_is_refused(store: Store) -> None:
    old, new = _as(store, BOTH), _as(store, NEW)
    _told(new)
    verbs.introduce_chain_key(c.Office(old), SYSTEM, "new")
    assert _what(new) == [("definition:", 1, "signed under a key that was not introduced before")]


def test_a_key_that_introduces_itself_is_refused(store: Store) -> None:
    new = _as(store, NEW)
    verbs.introduce_chain_key(c.Office(new), SYSTEM, "new")
    assert ("keys:chain", 1, "signed under a key that was not introduced before") in _what(new)


def test_a_retired_key_that_still_signs_after_the_grace_is_found(store: Store) -> None:
    old, new = _as(store, BOTH), _as(store, NEW)
    verbs.introduce_chain_key(c.Office(old), SYSTEM, "new")
    verbs.use_chain_key(c.Office(new), SYSTEM, "new")
    admin = registered(new, "system_admin", "liwan", "admin")
    c.advance_clock(c.Office(new), admin, timedelta(hours=25))
    _told(old)
    assert _what(new) == [("definition:", 1, "signed under a key that was retired")]


def test_only_who_keeps_the_system_may_bring_in_keys(store: Store) -> None:
    clerk = registered(_as(store, BOTH))
    with pytest.raises(Forbidden):
        verbs.introduce_chain_key(c.Office(_as(store, BOTH)), clerk, "new")
    assert [fault for fault in _what(store) if fault[0] == "keys:chain"] == []


# -- sealing keys
def test_data_keys_are_wrapped_anew_and_everything_still_opens(store: Store) -> None:
    clerk = registered(store)
    with store.transaction() as tx:
        case = started(tx, by=clerk.account)
        tx.put_attachment(clerk, "plan.pdf", "application/pdf", b"content")
    ring = Keys(
        chain=KEYS.chain, sealing=b"t" * 32, chain_id="test", sealing_id="s2", other_sealing={"s1": KEYS.sealing}
    )
    new = _as(store, ring)
    told: list[int] = []
    assert verbs.use_sealing_key(c.Office(new), SYSTEM, on_progress=told.append) == 2
    assert told[-1] == wrapped_keys(new) == 2
    with new.transaction() as tx:
        completed(tx, case.tasks[0].id, clerk)
    assert _what(new) == []
    alone = _as(store, Keys(chain=KEYS.chain, sealing=b"t" * 32, chain_id="test", sealing_id="s2"))
    with alone.reading() as reading:
        assert queries.history(reading, person(), case.id).items[0].values == {"item": {"name": "秘密"}}
    assert verbs.use_sealing_key(c.Office(new), SYSTEM, on_progress=told.append) == 0


def test_answers_kept_for_retries_survive_a_new_sealing_key(store: Store) -> None:
    clerk = registered(store)
    once = Once(key="k", route="POST /x", digest="d1")
    with store.transaction() as tx:
        assert tx.recall(clerk, once) is None
        tx.remember(clerk, once, {"answer": 1})
    ring = Keys(
        chain=KEYS.chain, sealing=b"t" * 32, chain_id="test", sealing_id="s2", other_sealing={"s1": KEYS.sealing}
    )
    with _as(store, ring).transaction() as tx:
        assert tx.recall(clerk, once) == {"answer": 1}


def test_what_can_be_guessed_is_digested_under_a_key(store: Store) -> None:
    assert KEYS.digest("ab") != Keys(chain=b"d" * 32, sealing=KEYS.sealing, chain_id="test").digest("ab")
    kept = KEYS.request_digest("body")
    assert "body" not in kept
    assert KEYS.same_request(kept, "body")
    assert not KEYS.same_request(kept, "another")
    assert not Keys(chain=KEYS.chain, sealing=b"t" * 32, chain_id="test").same_request(kept, "body")


# -- the file
@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    Settings(keys_path=path).keys()
    return path


@pytest.mark.parametrize("kind", ["chain", "sealing"])
def test_a_key_is_added_known_and_then_put_in_use(file: Path, kind: str) -> None:
    before = read_keys(file)
    name = add_key(file, kind)
    assert add_key(file, kind) == name == coming_key(file, kind)  # one at a time
    known = read_keys(file)
    assert (known.chain, known.sealing) == (before.chain, before.sealing)
    use_key(file, kind, name)
    after = read_keys(file)
    assert coming_key(file, kind) is None
    assert after == promoted(known, kind, name)
    assert after.first_id == before.chain_id
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["keys.json"]


def test_a_change_of_the_file_that_fails_leaves_the_old_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()
    monkeypatch.setattr(json, "dump", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        add_key(file, "chain")
    assert file.read_bytes() == before


def test_the_command_rotates_both_kinds_of_keys(file: Path, sqlite: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANWEI_DATABASE_URL", sqlite.engine.url.render_as_string())
    monkeypatch.setenv("SANWEI_KEYS", str(file))
    monkeypatch.setenv("SANWEI_CHECKPOINTS", str(file.parent / "copies"))
    sanwei = CliRunner()
    _told(_as(sqlite, read_keys(file)))
    for words in (["--chain"], ["--chain", "--finish"], ["--sealing", "--at-once"]):
        done = sanwei.invoke(app, ["keys", "rotate", *words])
        assert done.exit_code == 0, done.output
    assert sanwei.invoke(app, ["keys", "rotate", "--chain", "--finish"]).exit_code == 1
    assert sanwei.invoke(app, ["keys", "rotate"]).exit_code == 2
    _told(_as(sqlite, read_keys(file)))
    assert sanwei.invoke(app, ["checkpoint"]).exit_code == 0
    checked = sanwei.invoke(app, ["verify"])
    assert (checked.exit_code, "0 faults" in checked.output) == (0, True)
    listed = sanwei.invoke(app, ["keys", "list"])
    assert "c2" in listed.output
    with sqlite.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE stream_head SET events = 7 WHERE stream = 'definition:'")
    found = sanwei.invoke(app, ["verify", "--json"])
    assert found.exit_code == 1
    assert json.loads(found.stdout)["faults"][0]["stream"] == "definition:"
