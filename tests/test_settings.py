"""Settings come from SANWEI_ variables, all wrong ones are named, and keys are made once, for the owner only."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.settings import Settings, read_settings
from engine.errors import Invalid


def test_without_variables_the_defaults_hold() -> None:
    assert read_settings({"PATH": "/bin"}) == Settings()


def test_every_variable_is_read() -> None:
    told = read_settings(
        {
            "SANWEI_DATABASE_URL": "postgresql+psycopg:///d",
            "SANWEI_KEYS": "/k.json",
            "SANWEI_HOST": "0.0.0.0",
            "SANWEI_PORT": "80",
            "SANWEI_SIMULATION": "yes",
            "SANWEI_LANGUAGE": "en",
            "SANWEI_UPLOAD_LIMIT": "5000",
            "SANWEI_SMS_GATEWAY_URL": "http://sms",
        }
    )
    assert (told.database_url, told.keys_path, told.port) == ("postgresql+psycopg:///d", Path("/k.json"), 80)
    assert (told.simulation, told.language, told.upload_limit) == (True, "en", 5000)
    assert told.sms_gateway_url == "http://sms"
    assert not told.keys_may_be_made


def test_a_server_seen_from_outside_sends_secure_cookies_unless_told_otherwise() -> None:
    assert read_settings({"SANWEI_HOST": "0.0.0.0"}).cookie_secure
    assert not read_settings({"SANWEI_HOST": "0.0.0.0", "SANWEI_COOKIE_SECURE": "0"}).cookie_secure
    assert not read_settings({}).cookie_secure


def test_every_wrong_value_and_every_misspelt_name_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        read_settings({"SANWEI_PORT": "x", "SANWEI_LANGUAGE": "fr", "SANWEI_COOKIE_SECUR": "1"})
    assert [f.where for f in refused.value.findings] == ["SANWEI_PORT", "SANWEI_LANGUAGE", "SANWEI_COOKIE_SECUR"]


def test_development_keys_are_made_once_for_the_owner_only(tmp_path: Path) -> None:
    told = Settings(keys_path=tmp_path / "var" / "keys.json")
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: told.keys(), range(8)))
    assert len({(k.chain, k.sealing) for k in keys}) == 1
    assert len(keys[0].chain) == len(keys[0].sealing) == 32
    assert stat.S_IMODE(told.keys_path.stat().st_mode) == 0o600
    assert [p.name for p in told.keys_path.parent.iterdir()] == ["keys.json"]


def test_named_keys_are_never_made(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        Settings(keys_path=tmp_path / "missing.json", keys_may_be_made=False).keys()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"chain_id": "a", "chain": "00", "sealing": "00"}'])
def test_keys_that_cannot_be_read_stop_the_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(Invalid):
        Settings(keys_path=path).keys()


def test_keys_never_show_in_a_representation(tmp_path: Path) -> None:
    keys = Settings(keys_path=tmp_path / "keys.json").keys()
    secret = json.loads((tmp_path / "keys.json").read_text())["chain"]
    assert secret not in repr(keys)
    assert keys.chain.hex() == secret
