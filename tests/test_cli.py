"""The `sanwei` command: what it prints, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from api.folders import home, with_drafts
from engine.commands import read_library
from engine.model import Library

ROOT = Path(__file__).parent.parent


@pytest.fixture
def sanwei(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Run the command as a shell would, on a database of this test's own."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "COLUMNS": "200"}

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "api.cli", *arguments],
            cwd=tmp_path,
            env={**environment, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_fresh_district_is_migrated_published_and_given_accounts_once(sanwei) -> None:  # type: ignore[no-untyped-def]
    refused = sanwei("serve")
    assert refused.returncode == 1
    assert "migrate" in refused.stderr
    assert sanwei("migrate").returncode == 0
    first, second = sanwei("publish"), sanwei("publish")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "nothing changed" not in first.stdout
    assert "nothing changed" in second.stdout
    made, again = sanwei("accounts"), sanwei("accounts")
    assert "sanwei-demo-2026" in made.stdout
    assert "inspector2" in made.stdout
    assert "already" in again.stdout
    verified = sanwei("verify")
    assert verified.returncode == 0
    assert "0 faults" in verified.stdout


def test_a_server_with_keys_of_its_own_gets_no_demo_accounts(sanwei, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    keys = tmp_path / "own.json"
    keys.write_text(json.dumps({"chain_id": "own", "chain": "a" * 64, "sealing": "b" * 64}))
    assert sanwei("migrate", SANWEI_KEYS=str(keys)).returncode == 0
    refused = sanwei("accounts", SANWEI_KEYS=str(keys))
    assert refused.returncode == 1
    assert "no demo accounts" in refused.stderr


def test_the_gate_passes_the_shipped_folders_and_fails_a_broken_draft(sanwei, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert sanwei("check").returncode == 0
    draft = tmp_path / "draft.bpmn"
    draft.write_text("<definitions>")
    found = sanwei("check", str(draft), "--json")
    assert found.returncode == 1
    findings = json.loads(found.stdout)
    assert findings
    assert all(finding["where"].startswith("processes/draft.bpmn") for finding in findings)
    assert sanwei("check", "no_such_file.bpmn").returncode == 2


def test_misspelt_commands_and_settings_are_refused(sanwei) -> None:  # type: ignore[no-untyped-def]
    assert sanwei("chekc").returncode == 2
    refused = sanwei("migrate", SANWEI_DATABSE_URL="sqlite:///x.db")
    assert refused.returncode == 1
    assert "SANWEI_DATABSE_URL" in refused.stderr


def test_the_tables_are_listed_with_their_counts(sanwei) -> None:  # type: ignore[no-untyped-def]
    listed = sanwei("registers")
    assert listed.returncode == 0
    assert any("streets" in line and "22" in line for line in listed.stdout.splitlines())


def test_a_draft_takes_the_place_of_the_file_of_its_name(tmp_path: Path) -> None:
    library = Library({"processes/services/steps/intake.bpmn": b"old"})
    draft = tmp_path / "intake.bpmn"
    draft.write_bytes(b"new")
    laid, asked = with_drafts(library, ROOT, [draft])
    assert laid.files == {"processes/services/steps/intake.bpmn": b"new"}
    assert asked == ("processes/services/steps/intake.bpmn",)


def test_the_rooms_are_found_from_any_folder(tmp_path: Path) -> None:
    assert home(tmp_path) == ROOT
    (tmp_path / "processes").mkdir()
    assert home(tmp_path) == tmp_path
    assert read_library(tmp_path).files == {}
