"""The same request twice gives one effect and one answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from engine.errors import KeyReused
from engine.model import JSON, Actor, Once
from engine.store import tables as t
from engine.store.cases import CaseLocks
from engine.store.papers import Papers, leaving
from engine.store.prepared import Prepared
from engine.store.vault import seal_json, unseal_json

KEPT = timedelta(days=7)
_SYSTEM = UUID(int=0)
_this = (
    (t.idempotency.c.account == sa.bindparam("who"))
    & (t.idempotency.c.route == sa.bindparam("path"))
    & (t.idempotency.c.key == sa.bindparam("once"))
)
_find = Prepared(sa.select(t.idempotency.c.digest, t.idempotency.c.sealed, t.idempotency.c.expires_at).where(_this))
_keep = {
    dialect: Prepared(leaving(dialect, t.idempotency), *(column.name for column in t.idempotency.c))
    for dialect in ("postgresql", "sqlite")
}
_answer = Prepared(t.idempotency.update().where(_this).values(sealed=sa.bindparam("answer")))
_renew = (
    t.idempotency.update()
    .where(_this)
    .values(digest=sa.bindparam("body"), sealed=None, expires_at=sa.bindparam("until"))
)


class OnceOnly(CaseLocks, Papers):
    """Idempotency keys and message ids, written in the verb's own transaction."""

    _kept = False

    def recall(self, actor: Actor, once: Once) -> JSON | None:
        """The answer given before under this key; None: go on, and call ``remember`` at the end.

        A rival with the same key waits: for the case's lock where one is held, else here, until the first has
        committed or rolled back.

        Raises:
            KeyReused: the key came with another request.
        """
        now = self.now()
        if self.locked is None and _keep[self.dialect].count(self.connection, self._row(actor, once, None)) == 1:
            self._kept = True
            return None
        found = next(iter(self.rows(_find, self._where(actor, once))), None)
        self._kept = found is not None
        if found is None:
            return None
        if found.expires_at <= now or found.sealed is None:
            self.execute(_renew, {**self._where(actor, once), "body": once.digest, "until": now + KEPT})
            return None
        if found.digest != once.digest:
            raise KeyReused(route=once.route)
        answer: JSON = unseal_json(self.keys.sealing, self._purpose(actor, once), found.sealed)
        return answer

    def remember(self, actor: Actor, once: Once, answer: JSON) -> None:
        """Keep the answer of this request, sealed, for a week.

        Raises:
            KeyReused: meanwhile the key was used for another case. Raised with the transaction's last writes.
        """
        sealed = seal_json(self.keys.sealing, self._purpose(actor, once), answer)
        if self._kept:
            self.later(_answer, {**self._where(actor, once), "answer": sealed})
        else:
            self.later(_keep[self.dialect], self._row(actor, once, sealed), KeyReused(route=once.route))

    def _row(self, actor: Actor, once: Once, sealed: bytes | None) -> dict[str, Any]:
        return {
            "account": actor.account or _SYSTEM,
            "route": once.route,
            "key": once.key,
            "digest": once.digest,
            "sealed": sealed,
            "expires_at": self.now() + KEPT,
        }

    def take_message(self, sender: str, message_id: str) -> bool:
        """Take a message of this sender and id; False: it was taken before."""
        row = {"sender": sender, "id": message_id, "taken_at": self.now()}
        return self.execute(self._insert_or_leave(t.message), row).rowcount == 1

    def _where(self, actor: Actor, once: Once) -> dict[str, Any]:
        return {"who": actor.account or _SYSTEM, "path": once.route, "once": once.key}

    def _purpose(self, actor: Actor, once: Once) -> str:
        return f"answer:{actor.account or _SYSTEM}:{once.route}:{once.key}"
