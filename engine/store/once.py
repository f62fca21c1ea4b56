"""The same request twice gives one effect and one answer."""

from __future__ import annotations

import json
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
from engine.store.records import Case
from engine.store.vault import plain_text, seal_json, seal_named, unseal_json, unseal_named, unwrap

KEPT = timedelta(days=7)
_SYSTEM = UUID(int=0)
_this = (
    (t.idempotency.c.account == sa.bindparam("who"))
    & (t.idempotency.c.route == sa.bindparam("path"))
    & (t.idempotency.c.key == sa.bindparam("once"))
)
_find = Prepared(
    sa.select(
        t.idempotency.c.digest,
        t.idempotency.c.sealed,
        t.idempotency.c.expires_at,
        t.idempotency.c.case_id,
        t.data_key.c.wrapped,
    )
    .select_from(t.idempotency.outerjoin(t.data_key, t.data_key.c.id == t.idempotency.c.case_id))
    .where(_this)
)
_keep = {
    dialect: Prepared(leaving(dialect, t.idempotency), *(column.name for column in t.idempotency.c))
    for dialect in ("postgresql", "sqlite")
}
_answer = Prepared(
    t.idempotency.update().where(_this).values(sealed=sa.bindparam("answer"), case_id=sa.bindparam("case"))
)
_renew = (
    t.idempotency.update()
    .where(_this)
    .values(digest=sa.bindparam("body"), sealed=None, case_id=None, expires_at=sa.bindparam("until"))
)
_columns = (t.idempotency.c.account, t.idempotency.c.route, t.idempotency.c.key)
_over = sa.select(*_columns).where(t.idempotency.c.expires_at <= sa.bindparam("now")).limit(sa.bindparam("most"))
_purge = t.idempotency.delete().where(sa.tuple_(*_columns).in_(_over))


class OnceOnly(CaseLocks, Papers):
    """Idempotency keys, written in the verb's own transaction."""

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
        erased = found.case_id is not None and found.wrapped is None
        if found.expires_at <= now or found.sealed is None or erased:
            body = self.keys.request_digest(once.digest)
            self.execute(_renew, {**self._where(actor, once), "body": body, "until": now + KEPT})
            return None
        if not self.keys.same_request(found.digest, once.digest):
            raise KeyReused(route=once.route)
        purpose = self._purpose(actor, once)
        if found.case_id is None:
            return json.loads(unseal_named(self.keys, purpose, found.sealed))
        return unseal_json(unwrap(self.keys, found.case_id, found.wrapped), purpose, found.sealed)

    def remember(self, actor: Actor, once: Once, answer: JSON, case: Case | None = None) -> None:
        """Keep the answer of this request for a week, sealed under the key of the ``case`` it speaks of, if any.

        Raises:
            KeyReused: meanwhile the key was used for another case. Raised with the transaction's last writes.
        """
        purpose, case = self._purpose(actor, once), case or self.locked
        if case is None or not case.key:  # the answer about an erased case tells of nobody
            number, sealed = None, seal_named(self.keys, purpose, plain_text(answer).encode())
        else:
            number, sealed = case.id, seal_json(case.key, purpose, answer)
        if self._kept:
            self.later(_answer, {**self._where(actor, once), "answer": sealed, "case": number})
        else:
            row = self._row(actor, once, sealed, number)
            self.later(_keep[self.dialect], row, KeyReused(route=once.route))

    def purge_answers(self, most: int) -> int:
        """Forget answers that are over; gives how many."""
        return self.execute(_purge, {"now": self.now(), "most": most}).rowcount

    def _row(self, actor: Actor, once: Once, sealed: bytes | None, case: UUID | None = None) -> dict[str, Any]:
        return {
            "account": actor.account or _SYSTEM,
            "route": once.route,
            "key": once.key,
            "digest": self.keys.request_digest(once.digest),
            "sealed": sealed,
            "expires_at": self.now() + KEPT,
            "case_id": case,
        }

    def _where(self, actor: Actor, once: Once) -> dict[str, Any]:
        return {"who": actor.account or _SYSTEM, "path": once.route, "once": once.key}

    def _purpose(self, actor: Actor, once: Once) -> str:
        return f"answer:{actor.account or _SYSTEM}:{once.route}:{once.key}"
