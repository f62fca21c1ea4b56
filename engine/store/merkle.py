"""Merkle trees as RFC 6962 §2.1 builds them: roots in little memory, and the paths that prove one leaf."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf: its content behind a zero byte, so that no leaf passes for a node."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, holding one hash for each height only."""
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        stack.append((1, leaf))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            (size, right), (_, left) = stack.pop(), stack.pop()
            stack.append((2 * size, node_hash(left, right)))
    if not stack:
        return EMPTY
    found = stack.pop()[1]
    while stack:
        found = node_hash(stack.pop()[1], found)
    return found


def path(leaves: Sequence[bytes], place: int) -> list[bytes]:
    """The hashes that lead from the leaf at ``place`` to the root, the lowest first (RFC 6962 §2.1.1)."""
    if len(leaves) <= 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if place < half:
        return [*path(leaves[:half], place), root(leaves[half:])]
    return [*path(leaves[half:], place - half), root(leaves[:half])]


def root_by(leaf: bytes, place: int, size: int, hashes: Sequence[bytes]) -> bytes:
    """The root that a path leads to; it proves the leaf where that is the signed root.

    Raises:
        ValueError: the path is not one of a tree of that size.
    """
    if not 0 <= place < size:
        raise ValueError("no such leaf")
    if size == 1:
        if hashes:
            raise ValueError("the path is too long")
        return leaf
    if not hashes:
        raise ValueError("the path is too short")
    half = 1 << (size - 1).bit_length() - 1
    if place < half:
        return node_hash(root_by(leaf, place, half, hashes[:-1]), hashes[-1])
    return node_hash(hashes[-1], root_by(leaf, place - half, size - half, hashes[:-1]))
