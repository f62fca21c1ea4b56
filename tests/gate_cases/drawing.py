"""Diagrams written in a line: ``s>x x>a,b a>p b>p p>e`` is a process whose exclusive split ends in a parallel join.

The first letter of an id says what it is: s start, e end, a to d and u user task, t script, f throw, m catch, r
receive, x exclusive, p parallel, o inclusive, z complex, g event-based, q sub-process, v transaction, n multi-instance
sub-process, h event sub-process, y call of the process in capitals.
``a>b>c`` flows, ``x>a,b`` to several, ``a?b`` a flow with a condition (those of x and o have one, the last of x is its
default),
``b1@a=timer`` boundary event, ``b1@a~timer`` not interrupting, ``e1!err`` what an event throws or catches, ``q{ … }``
what is inside, ``y=Q`` what is called, ``z:2`` tokens that activate, ``t*2`` tokens it makes, ``a#2`` tokens it takes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise

from tests.diagrams import EVENTS, element, event, process

KINDS = {
    "s": "startEvent",
    "e": "endEvent",
    "t": "scriptTask",
    "f": "intermediateThrowEvent",
    "m": "intermediateCatchEvent",
    "r": "receiveTask",
    "x": "exclusiveGateway",
    "p": "parallelGateway",
    "o": "inclusiveGateway",
    "z": "complexGateway",
    "g": "eventBasedGateway",
    "q": "subProcess",
    "n": "subProcess",
    "h": "subProcess",
    "v": "transaction",
    "y": "callActivity",
} | dict.fromkeys("abcdu", "userTask")
_WORD = re.compile(r"(?P<id>\w+)(?P<sign>[@!{=:*#>?]|$)(?P<rest>.*)")
_MANY = "<multiInstanceLoopCharacteristics><loopCardinality>2</loopCardinality></multiInstanceLoopCharacteristics>"


def drawn(text: str, ident: str = "P") -> bytes:
    """The file of one process."""
    return process(_Scope(iter(text.replace("{", "{ ").split())).xml(), ident=ident)


class _Scope:
    """One scope while it is read."""

    def __init__(self, words: object) -> None:
        self.attributes: dict[str, dict[str, str]] = defaultdict(dict)
        self.inner: dict[str, str] = {}
        self.flows: list[tuple[str, str, bool]] = []
        for word in words:  # type: ignore[attr-defined]
            if word == "}":
                break
            self._read(word, words)

    def _read(self, word: str, words: object) -> None:
        found = _WORD.fullmatch(word)
        assert found, word
        ident, sign, rest = found["id"], found["sign"], found["rest"]
        self.attributes[ident]
        if sign == "{":
            self.inner[ident] = _Scope(words).xml()
        elif sign == "!":
            self.inner[ident] = self.inner.get(ident, "") + _event(rest)
        elif sign == "@":
            host, beside, what = re.fullmatch(r"(\w+)([=~])(.*)", rest).groups()  # type: ignore[union-attr]
            self.attributes[ident] = {"attachedToRef": host, "cancelActivity": str(beside == "=").lower()}
            self.inner[ident] = _event(what)
        elif sign == "=":
            self.attributes[ident]["calledElement"] = rest
        elif sign == ":":
            self.inner[ident] = f"<activationCondition>activationCount &gt;= {rest}</activationCondition>"
        elif sign in "*#" and sign:
            self.attributes[ident]["completionQuantity" if sign == "*" else "startQuantity"] = rest
        elif sign:
            self._flow(re.split(r"([>?])", word))

    def _flow(self, parts: list[str]) -> None:
        for (source, sign), target in zip(pairwise(parts[:-1]), parts[2:], strict=True):
            if sign not in ">?" or source in ">?":
                continue
            for each in target.split(","):
                self.flows.append((source, each, sign == "?"))
                self.attributes[source.split(",")[0]]
                self.attributes[each]

    def xml(self) -> str:
        made, outgoing = [], defaultdict(list)
        for number, (source, target, asked) in enumerate(self.flows):
            outgoing[source].append((f"{source}_{target}_{number}", target, asked))
        for source, flows in outgoing.items():
            chooses = source[0] in "xo" and len(flows) > 1
            if chooses and source[0] == "x":
                self.attributes[source]["default"] = flows[-1][0]
            for place, (ident, target, asked) in enumerate(flows):
                needed = asked or (chooses and (source[0] == "o" or place < len(flows) - 1))
                inside = "<conditionExpression>k == 1</conditionExpression>" if needed else ""
                made.append(element("sequenceFlow", ident, inside, sourceRef=source, targetRef=target))
        return "".join([*(self._node(ident) for ident in self.attributes), *made])

    def _node(self, ident: str) -> str:
        given, inner = self.attributes[ident], self.inner.get(ident, "")
        kind = "boundaryEvent" if "attachedToRef" in given else KINDS[ident[0]]
        if ident[0] == "h":
            given["triggeredByEvent"] = "true"
        if ident[0] == "n":
            inner = _MANY + inner
        if ident[0] == "r":
            given["messageRef"] = "msg"
        return element(kind, ident, inner, **given)


def _event(word: str) -> str:
    if word in EVENTS:
        return event(word)
    if word.startswith("link"):
        return event(f"link {word[4:]}")
    return event({"timer": 'timer "PT1H"', "cycle": 'cycle "R3/PT1H"', "when": "when k > 1"}[word])
