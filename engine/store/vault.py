"""Keys and what is done with them: sealing (AES-256-GCM), wrapping, chaining (HMAC-SHA256). Knows no rows."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import zlib
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.model import JSON

KEY_BYTES = 32
_NONCE_BYTES = 12
SALT_BYTES = 16
_WORTH_PACKING = 300
_PLAIN, _PACKED = b"\x00", b"\x01"


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """The keys the database never holds: 32 bytes each. ``chain_id`` names the chain key in every event."""

    chain: bytes = field(repr=False)
    sealing: bytes = field(repr=False)
    chain_id: str

    def __post_init__(self) -> None:
        if len(self.chain) != KEY_BYTES or len(self.sealing) != KEY_BYTES:
            raise ValueError("keys are 32 bytes each")


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


def new_key(keys: Keys, owner: UUID) -> tuple[bytes, bytes]:
    """A fresh data key and the same wrapped under the sealing key for its owner's row."""
    key = os.urandom(KEY_BYTES)
    return key, seal(keys.sealing, f"key:{owner}", key)


def unwrap(keys: Keys, owner: UUID, wrapped: bytes) -> bytes:
    """The data key of a row."""
    return unseal(keys.sealing, f"key:{owner}", wrapped)


def commit(salt: bytes, values: JSON) -> bytes:
    """The salted commitment an event's hash covers: it survives the erasure of salt and values and betrays neither."""
    return hashlib.sha256(salt + plain_text(values).encode()).digest()


def link(key: bytes, previous: bytes, canonical: bytes) -> bytes:
    """The hash of an event: HMAC-SHA256(chain key, previous hash ‖ canonical bytes)."""
    return hmac.digest(key, previous + canonical, "sha256")
