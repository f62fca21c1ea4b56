"""Makes a text that fits a form's ``pattern``: the plain part of regular expressions that forms use."""

from __future__ import annotations

import re
from random import Random

CLASSES = {"d": "0123456789", "w": "abcdefghjkmnpqrstuvwxyz", "s": " "}
REPEATS = {"?": (0, 1), "*": (0, 3), "+": (1, 4)}
COUNT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")


def sample(pattern: str, random: Random) -> str:
    """A text that ``pattern`` matches: literals, classes, groups, alternatives, counts; no look-around.

    Raises ValueError where the pattern goes beyond that; the form should then give ``examples``.
    """
    text, at = _alternatives(pattern, 0, random)
    if at != len(pattern) or re.search(pattern, text) is None:
        raise ValueError("a pattern beyond what the demonstration can write")
    return text


def _alternatives(pattern: str, at: int, random: Random) -> tuple[str, int]:
    branches = []
    while True:
        branch, at = _sequence(pattern, at, random)
        branches.append(branch)
        if at >= len(pattern) or pattern[at] != "|":
            return random.choice(branches), at
        at += 1


def _sequence(pattern: str, at: int, random: Random) -> tuple[str, int]:
    written: list[str] = []
    while at < len(pattern) and pattern[at] not in "|)":
        start = at
        _, at = _atom(pattern, start, random)
        (least, most), end = _count(pattern, at)
        for _ in range(random.randint(least, most)):
            written.append(_atom(pattern, start, random)[0])
        at = end
    return "".join(written), at


def _atom(pattern: str, at: int, random: Random) -> tuple[str, int]:
    match pattern[at]:
        case "^" | "$":
            return "", at + 1
        case "(":
            text, at = _alternatives(pattern, at + (3 if pattern.startswith("(?:", at) else 1), random)
            return text, at + 1
        case "[":
            return _class(pattern, at + 1, random)
        case "\\":
            return random.choice(CLASSES.get(pattern[at + 1], pattern[at + 1])), at + 2
        case ".":
            return random.choice("演示"), at + 1
        case literal:
            return literal, at + 1


def _class(pattern: str, at: int, random: Random) -> tuple[str, int]:
    end = pattern.index("]", at + 1)
    members: list[str] = []
    if pattern[at] == "^":
        return "演", end + 1
    while at < end:
        if pattern[at] == "\\":
            members += CLASSES.get(pattern[at + 1], pattern[at + 1])
            at += 2
        elif at + 2 < end and pattern[at + 1] == "-":
            members += [chr(code) for code in range(ord(pattern[at]), ord(pattern[at + 2]) + 1)]
            at += 3
        else:
            members.append(pattern[at])
            at += 1
    return random.choice(members), end + 1


def _count(pattern: str, at: int) -> tuple[tuple[int, int], int]:
    if at < len(pattern) and pattern[at] in REPEATS:
        return REPEATS[pattern[at]], at + 1
    found = COUNT.match(pattern, at)
    if found is None:
        return (1, 1), at
    least = int(found[1])
    most = least if found[2] is None else int(found[3] or least + 3)
    return (least, most), found.end()
