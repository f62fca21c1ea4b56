"""Verbs on keys: introduce a chain key, put it in use, wrap every data key anew under another sealing key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.commands.attempt import acted_as, attempt
from engine.commands.office import DISTRICT, Office
from engine.errors import Forbidden
from engine.model import Actor, Event
from engine.store.checkpoints import public_key
from engine.store.key_rule import IN_USE, INTRODUCED, KEYS_STREAM, SEALING_STREAM
from engine.store.rewrapping import rewrap
from engine.store.vault import fingerprint


def _check(actor: Actor) -> None:
    if actor.account is not None and actor.holding("system_admin", DISTRICT) is None:
        raise Forbidden(role="system_admin", scope=DISTRICT)


def introduce_chain_key(office: Office, actor: Actor, name: str) -> None:
    """Tell history, under the key in use, that the key of this id may sign from now on.

    Every server must know it before it is put in use. Raises Forbidden: only a system administrator may.
    """
    with attempt(office, actor, "introduce_key", {"key": name}):
        _check(actor)
        key = office.store.keys.chain_keys()[name]
        detail = {"id": name, "digest": fingerprint(key), "public": public_key(key)}
        _tell(office, actor, KEYS_STREAM, INTRODUCED, detail)


def use_chain_key(office: Office, actor: Actor, name: str) -> None:
    """Tell history that a key is in use; the others may sign for the time of grace still, and never after.

    The store must have been opened with that key in use. Raises Forbidden, as ``introduce_chain_key``.
    """
    with attempt(office, actor, "use_key", {"key": name}):
        _check(actor)
        retires = sorted(office.store.keys.chain_keys().keys() - {name})
        _tell(office, actor, KEYS_STREAM, IN_USE, {"id": name, "retires": retires})


def use_sealing_key(office: Office, actor: Actor, *, on_progress: Callable[[int], None]) -> int:
    """Wrap every data key anew under the sealing key in use, in batches; gives how many there were to wrap.

    Stopped on the way it may be begun again; what is done stays done. Raises Forbidden.
    """
    keys = office.store.keys
    with attempt(office, actor, "use_key", {"key": keys.sealing_id}):
        _check(actor)
        detail = {"id": keys.sealing_id, "digest": fingerprint(keys.sealing)}
        _tell(office, actor, SEALING_STREAM, IN_USE, detail)
        return rewrap(office.store, on_progress)


def _tell(office: Office, actor: Actor, stream: str, kind: str, detail: Mapping[str, Any]) -> None:
    with office.store.transaction() as tx:
        tx.append(stream, [Event(kind=kind, input=True, actor=acted_as(actor), detail=detail)])
