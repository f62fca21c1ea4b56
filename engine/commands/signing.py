"""Signatures over manifests: who vouches for a package, and whether it is to be believed."""

from __future__ import annotations

import hmac
from typing import Protocol

from engine.store import Keys

# What is signed says what it is, so that no hash of a chain can ever pass for the signature of a package.
_PURPOSE = b"sanwei package\n"


class Signing(Protocol):
    """A key that signs and checks. ``algorithm`` and ``key_id`` are written into the manifest."""

    @property
    def algorithm(self) -> str:
        """``hmac-sha256`` …"""

    @property
    def key_id(self) -> str:
        """The key's name."""

    def sign(self, content: bytes) -> bytes:
        """The signature of ``content``."""

    def check(self, algorithm: str, key_id: str, content: bytes, signature: bytes) -> bool | None:
        """Is it the signature of ``content``? None: made by a key that is not known here."""


class ChainSigning:
    """HMAC-SHA256 under the chain key: proves a package to whoever holds that key."""

    algorithm = "hmac-sha256"

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    @property
    def key_id(self) -> str:
        """The chain key's name."""
        return self._keys.chain_id

    def sign(self, content: bytes) -> bytes:
        """HMAC-SHA256 of purpose and content."""
        return _signature(self._keys.chain, content)

    def check(self, algorithm: str, key_id: str, content: bytes, signature: bytes) -> bool | None:
        """As ``Signing`` says."""
        key = self._keys.chain_keys().get(key_id)
        if algorithm != self.algorithm or key is None:
            return None
        return hmac.compare_digest(_signature(key, content), signature)


def _signature(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + content, "sha256")
