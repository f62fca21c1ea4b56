"""Text messages: a gateway reached over HTTP, or a spool file where the district has none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Protocol
from uuid import UUID

import httpx

TIMEOUT = 10.0


class Undeliverable(Exception):
    """The gateway did not take the message. ``code`` is safe to log; the message itself never is."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class SmsGateway(Protocol):
    """Whoever carries text messages. The same ``number`` (id) may come twice and must be carried once."""

    def send(self, number: UUID, to: str, text: str) -> None:
        """Hand one message over. Raises Undeliverable."""


class HttpGateway:
    """POSTs ``{"id", "to", "text"}`` with the id as Idempotency-Key; every 2xx means taken."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(timeout=TIMEOUT, headers=headers, trust_env=False)
        self._url = url

    def send(self, number: UUID, to: str, text: str) -> None:
        body = {"id": str(number), "to": to, "text": text}
        try:
            answer = self._client.post(self._url, json=body, headers={"Idempotency-Key": str(number)})
        except httpx.HTTPError as error:
            raise Undeliverable(type(error).__name__) from error
        if not answer.is_success:
            raise Undeliverable(f"http_{answer.status_code}")


class Spool:
    """Appends each message as one JSON line to a file only its owner may read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, number: UUID, to: str, text: str) -> None:
        line = json.dumps({"id": str(number), "to": to, "text": text}, ensure_ascii=False) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as spool:
                spool.write(line)
        except OSError as error:
            raise Undeliverable(f"spool_{error.errno}") from error
