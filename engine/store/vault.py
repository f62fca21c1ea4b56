"""Keys and what is done with them: sealing (AES-256-GCM), wrapping, chaining (HMAC-SHA256). Knows no rows."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.model import JSON

KEY_BYTES = 32
_NONCE_BYTES = 12
SALT_BYTES = 16
_WORTH_PACKING = 300
_PLAIN, _PACKED = b"\x00", b"\x01"
# Before what is sealed under a named key. Five bytes that a random nonce does not begin with by chance.
_NAMED = b"\x00key\x01"


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """The keys the database never holds, 32 bytes each: one in use of each kind, and the others known beside it.

    ``chain_id`` stands in every event, ``sealing_id`` before everything sealed with it. ``other_…`` are keys that were
    in use or are coming: they open and verify, and nothing new is made with them. ``root_id`` names the first chain
    key of all, which nobody could introduce (empty: the one in use).
    """

    chain: bytes = field(repr=False)
    sealing: bytes = field(repr=False)
    chain_id: str
    sealing_id: str = "s1"
    other_chain: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    other_sealing: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    root_id: str = ""

    def __post_init__(self) -> None:
        if any(len(key) != KEY_BYTES for key in (*self.chain_keys().values(), *self.sealing_keys().values())):
            raise ValueError("keys are 32 bytes each")

    def chain_keys(self) -> dict[str, bytes]:
        """Every chain key by its id."""
        return {**self.other_chain, self.chain_id: self.chain}

    def sealing_keys(self) -> dict[str, bytes]:
        """Every sealing key by its id."""
        return {**self.other_sealing, self.sealing_id: self.sealing}

    @property
    def first_id(self) -> str:
        """The chain key that needed no introduction."""
        return self.root_id or self.chain_id

    def digest(self, content: str) -> str:
        """HMAC-SHA256 (hex) of something guessable, under the chain key in use: without the key nobody can try words.

        The event it stands in names the key.
        """
        return hmac.digest(derived(self.chain, "digest"), content.encode(), "sha256").hex()

    def request_digest(self, content: str) -> str:
        """As ``digest``, under the sealing key in use, whose id stands before it."""
        return _request_digest(self.sealing_id, self.sealing, content)

    def same_request(self, kept: str, content: str) -> bool:
        """Was ``kept`` made by ``request_digest`` of this content, under whichever key was in use then?

        What was kept before keys had names is the content itself.
        """
        if ":" not in kept:
            return hmac.compare_digest(kept, content)
        name, _, _ = kept.rpartition(":")
        key = self.sealing_keys().get(name)
        return key is not None and hmac.compare_digest(kept, _request_digest(name, key, content))


def _request_digest(name: str, key: bytes, content: str) -> str:
    return f"{name}:{hmac.digest(derived(key, 'request'), content.encode(), 'sha256').hex()}"


def derived(key: bytes, purpose: str) -> bytes:
    """A key of its own for one purpose (32 bytes), from which the one it comes from cannot be found."""
    return hmac.digest(key, f"sanwei:{purpose}".encode(), "sha256")


def fingerprint(key: bytes) -> str:
    """What a key may be known by (hex): it betrays nothing of the key."""
    return derived(key, "fingerprint").hex()


def plain_text(value: JSON) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN. Raises TypeError on what is not plain JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def seal(key: bytes, purpose: str, content: bytes) -> bytes:
    """Nonce and ciphertext. ``purpose`` is bound in, so that a sealed thing cannot be moved to another place."""
    nonce = os.urandom(_NONCE_BYTES)
    packed = _PACKED + zlib.compress(content, 1) if len(content) > _WORTH_PACKING else _PLAIN + content
    return nonce + AESGCM(key).encrypt(nonce, packed, purpose.encode())


def unseal(key: bytes, purpose: str, sealed: bytes) -> bytes:
    """The content again. Raises cryptography's InvalidTag when key, purpose or bytes are not the ones sealed."""
    packed = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
    return zlib.decompress(packed[1:]) if packed[:1] == _PACKED else packed[1:]


def seal_json(key: bytes, purpose: str, value: JSON) -> bytes:
    """A sealed JSON value."""
    return seal(key, purpose, plain_text(value).encode())


def unseal_json(key: bytes, purpose: str, sealed: bytes) -> JSON:
    """The JSON value again."""
    return json.loads(unseal(key, purpose, sealed))


def seal_named(keys: Keys, purpose: str, content: bytes) -> bytes:
    """Sealed under the sealing key in use, whose id stands before it."""
    name = keys.sealing_id.encode()
    return _NAMED + bytes([len(name)]) + name + seal(keys.sealing, purpose, content)


def sealed_under(keys: Keys, sealed: bytes) -> str:
    """The id of the sealing key; what carries none was made before keys had names, under the first of them."""
    if not sealed.startswith(_NAMED):
        return next(iter(keys.sealing_keys()))
    start = len(_NAMED) + 1
    return sealed[start : start + sealed[start - 1]].decode(errors="replace")


def unseal_named(keys: Keys, purpose: str, sealed: bytes) -> bytes:
    """The content again, under whichever of our keys it was sealed.

    Raises:
        InvalidTag: of cryptography: another key, purpose or content, or a key that this server does not hold.
    """
    key = keys.sealing_keys().get(sealed_under(keys, sealed))
    if key is None:
        raise InvalidTag()
    start = len(_NAMED) + 1 + sealed[len(_NAMED)] if sealed.startswith(_NAMED) else 0
    return unseal(key, purpose, sealed[start:])


def new_key(keys: Keys, owner: UUID) -> tuple[bytes, bytes]:
    """A fresh data key and the same wrapped under the sealing key for its owner's row."""
    key = os.urandom(KEY_BYTES)
    return key, wrap(keys, owner, key)


def wrap(keys: Keys, owner: UUID, key: bytes) -> bytes:
    """A data key wrapped for its owner's row under the sealing key in use."""
    return seal_named(keys, f"key:{owner}", key)


def unwrap(keys: Keys, owner: UUID, wrapped: bytes) -> bytes:
    """The data key of a row."""
    return unseal_named(keys, f"key:{owner}", wrapped)


def commit(salt: bytes, values: JSON) -> bytes:
    """The salted commitment an event's hash covers: it survives the erasure of salt and values and betrays neither."""
    return hashlib.sha256(salt + plain_text(values).encode()).digest()


def link(key: bytes, previous: bytes, canonical: bytes) -> bytes:
    """The hash of an event: HMAC-SHA256(chain key, previous hash ‖ canonical bytes)."""
    return hmac.digest(key, previous + canonical, "sha256")
