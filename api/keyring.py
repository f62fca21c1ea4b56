"""Knows the file of keys: reads it, makes the first ones, adds a key, puts one in use; always whole, always 0600."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from engine.errors import Finding, Invalid
from engine.store import Keys

Kind = Literal["chain", "sealing"]
FIRST_SEALING = "s1"


def read_keys(path: Path) -> Keys:
    """The keys of a file: the three fields of a fresh one, or rings of keys by id with the one in use named.

    Raises:
        Invalid: the file is missing or holds no keys.
    """
    try:
        rings = _rings(json.loads(path.read_bytes()))
        chain, sealing = rings["chain"], rings["sealing"]
        return Keys(
            chain=bytes.fromhex(chain["keys"][chain["in_use"]]),
            sealing=bytes.fromhex(sealing["keys"][sealing["in_use"]]),
            chain_id=chain["in_use"],
            sealing_id=sealing["in_use"],
            other_chain=_others(chain),
            other_sealing=_others(sealing),
            root_id=next(iter(chain["keys"])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise _unreadable() from cause


def _rings(found: Any) -> dict[Kind, dict[str, Any]]:
    """The rings of a file; a file of three fields holds one key of each kind."""
    if "chain_id" not in found:
        return {"chain": found["chain"], "sealing": found["sealing"]}
    name = str(found["chain_id"])
    if not name:
        raise ValueError("the chain key has no name")
    return {
        "chain": {"in_use": name, "keys": {name: found["chain"]}},
        "sealing": {"in_use": FIRST_SEALING, "keys": {FIRST_SEALING: found["sealing"]}},
    }


def _others(ring: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: bytes.fromhex(key) for name, key in ring["keys"].items() if name != ring["in_use"]}


def _unreadable() -> Invalid:
    finding = Finding(
        where="SANWEI_KEYS",
        rule="keys",
        zh="密钥文件无法读取",
        en="the file cannot be read as keys",
        mend_zh="JSON 文件，含 chain_id、chain、sealing；后两项各为 64 位十六进制",
        mend_en="a JSON file with chain_id, chain and sealing, the latter two 64 hex digits each",
    )
    return Invalid([finding], f"settings: {finding.where} {finding.en}")


def make_keys(path: Path) -> None:
    """Write new random keys, readable by the owner only.

    Several processes may start at once: each writes its own file, one link wins, all read the winner's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = {"chain_id": "dev-1", "chain": secrets.token_hex(32), "sealing": secrets.token_hex(32)}
    mine = _written(path, keys)
    try:
        with suppress(FileExistsError):  # somebody else was first, and theirs counts
            os.link(mine, path)
    finally:
        mine.unlink()


def _written(path: Path, content: Any) -> Path:
    """The content in a file of its own beside ``path``, on the disk, for the owner only."""
    mine = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    return mine


def coming_key(path: Path, kind: Kind) -> str | None:
    """The key that stands last in the file and is not in use yet: added, known, and waiting for its turn."""
    ring = _rings(json.loads(path.read_bytes()))[kind]
    names = list(ring["keys"])
    return names[-1] if names.index(ring["in_use"]) < len(names) - 1 else None


def add_key(path: Path, kind: Kind) -> str:
    """Add a random key behind the others, not in use yet; gives its id. One that is coming already is left to come."""
    if (coming := coming_key(path, kind)) is not None:
        return coming
    made: list[str] = []

    def add(ring: dict[str, Any]) -> None:
        number = len(ring["keys"]) + 1
        while (name := f"{kind[0]}{number}") in ring["keys"]:
            number += 1
        ring["keys"][name] = secrets.token_hex(32)
        made.append(name)

    _change(path, kind, add)
    return made[0]


def use_key(path: Path, kind: Kind, name: str) -> None:
    """From now on whoever reads the file makes new things with this key."""
    _change(path, kind, lambda ring: ring.update(in_use=name))


def _change(path: Path, kind: Kind, change: Callable[[dict[str, Any]], None]) -> None:
    """Replace the file by a changed one: whoever reads sees the old one or the new one, whole."""
    rings = _rings(json.loads(path.read_bytes()))
    change(rings[kind])
    os.replace(_written(path, rings), path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def promoted(keys: Keys, kind: Kind, name: str) -> Keys:
    """The same keys with another one in use."""
    if kind == "chain":
        ring = keys.chain_keys()
        others = {other: key for other, key in ring.items() if other != name}
        return replace(keys, chain=ring[name], chain_id=name, other_chain=others, root_id=keys.first_id)
    ring = keys.sealing_keys()
    others = {other: key for other, key in ring.items() if other != name}
    return replace(keys, sealing=ring[name], sealing_id=name, other_sealing=others)
