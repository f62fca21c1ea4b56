"""Knows every SANWEI_ environment variable; everything the servers can be told is one frozen `Settings`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from api.keyring import make_keys, read_keys
from engine import bpmn
from engine.errors import Finding, Invalid
from engine.store import Keys

Language = Literal["zh", "en"]

DEV_KEYS = Path("var/keys.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What one server process needs to know. Sizes in bytes; messages are kept so long by themselves."""

    database_url: str = "sqlite:///var/sanwei.db"
    keys_path: Path = DEV_KEYS
    keys_may_be_made: bool = True
    sms_gateway_url: str | None = None
    cookie_secure: bool = False
    body_limit: int = 1_000_000
    upload_limit: int = 20_000_000
    host: str = "127.0.0.1"
    port: int = 8000
    simulation: bool = False
    state_format: int = bpmn.FORMAT
    messages_kept_days: int = 30
    language: Language = "zh"
    checkpoints_path: Path | None = None
    checkpoint_minutes: int = 60

    def checkpoints(self) -> Path | None:
        """Where copies of checkpoints go: the folder named, or one beside development keys; None: nowhere."""
        beside = self.keys_path.with_name("checkpoints") if self.keys_may_be_made else None
        return self.checkpoints_path or beside

    def keys(self) -> Keys:
        """The keys from `keys_path`; a development file is made (mode 0600) where none is named and none exists.

        Raises:
            Invalid: the file is missing though SANWEI_KEYS names it, or holds no keys.
        """
        if self.keys_may_be_made and not self.keys_path.exists():
            make_keys(self.keys_path)
        return read_keys(self.keys_path)


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from SANWEI_* variables; every wrong value is named at once.

    Raises:
        Invalid: a value that cannot be read, or a SANWEI_ name nobody knows (a misspelling would pass silently).
    """
    values = {k: v for k, v in (os.environ if environment is None else environment).items() if k.startswith("SANWEI_")}
    reader = _Reader(values)
    default = Settings()
    host = reader.text("HOST", default.host)
    settings = Settings(
        database_url=reader.text("DATABASE_URL", default.database_url),
        keys_path=Path(reader.text("KEYS", str(DEV_KEYS))),
        keys_may_be_made="SANWEI_KEYS" not in values,
        sms_gateway_url=reader.text("SMS_GATEWAY_URL", "") or None,
        # Plain HTTP is for the machine itself only: a Secure cookie would never come back there.
        cookie_secure=reader.switch("COOKIE_SECURE", host not in {"127.0.0.1", "localhost", "::1"}),
        body_limit=reader.number("BODY_LIMIT", default.body_limit, least=1_000),
        upload_limit=reader.number("UPLOAD_LIMIT", default.upload_limit, least=1_000),
        host=host,
        port=reader.number("PORT", default.port, least=0),
        messages_kept_days=reader.number("MESSAGES_KEPT_DAYS", default.messages_kept_days, least=1),
        simulation=reader.switch("SIMULATION", default.simulation),
        state_format=reader.number("STATE_FORMAT", default.state_format, least=1, most=bpmn.FORMAT),
        language=reader.language("LANGUAGE", default.language),
        checkpoints_path=reader.path("CHECKPOINTS"),
        checkpoint_minutes=reader.number("CHECKPOINT_MINUTES", default.checkpoint_minutes, least=1),
    )
    reader.finish()
    return settings


# Read by others (kill points of the store, tests, demonstrations), never by this room.
_FOREIGN = ("SANWEI_KILL_", "SANWEI_TEST_", "SANWEI_DEMO_", "SANWEI_BENCH_")


class _Reader:
    """Takes values one by one and remembers what was wrong."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._findings: list[Finding] = []

    def text(self, name: str, default: str) -> str:
        return self._values.pop(f"SANWEI_{name}", default)

    def path(self, name: str) -> Path | None:
        text = self.text(name, "")
        return Path(text) if text else None

    def number(self, name: str, default: int, *, least: int, most: int | None = None) -> int:
        text = self.text(name, str(default))
        if text.isdecimal() and least <= int(text) and (most is None or int(text) <= most):
            return int(text)
        if most is not None:
            self._wrong(name, f"须为 {least} 至 {most} 的整数", f"must be a whole number from {least} to {most}")
            return default
        self._wrong(name, f"须为不小于 {least} 的整数", f"must be a whole number of at least {least}")
        return default

    def switch(self, name: str, default: bool) -> bool:
        text = self.text(name, "1" if default else "0").lower()
        if text in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            return text in {"1", "true", "yes", "on"}
        self._wrong(name, "须为 1 或 0", "must be 1 or 0")
        return default

    def language(self, name: str, default: Language) -> Language:
        text = self.text(name, default)
        if text in {"zh", "en"}:
            return cast(Language, text)
        self._wrong(name, "须为 zh 或 en", "must be zh or en")
        return default

    def finish(self) -> None:
        for name in sorted(n for n in self._values if not n.startswith(_FOREIGN)):
            self._wrong(name.removeprefix("SANWEI_"), "没有这个设置项", "is no setting of Sanwei")
        if self._findings:
            raise Invalid(self._findings, "settings: " + "; ".join(f"{f.where} {f.en}" for f in self._findings))

    def _wrong(self, name: str, zh: str, en: str) -> None:
        self._findings.append(Finding(where=f"SANWEI_{name}", rule="setting", zh=zh, en=en))
