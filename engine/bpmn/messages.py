"""What diagrams declare of a message beside its name: what it carries, who may send it, how long it is kept.

Written as properties of the ``message`` element: ``schema`` (path of a form below ``forms/``), ``sender`` (a role),
``expires`` (``P30D``, ``PT12H``). A file that only throws the message may leave them out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from engine.bpmn.reader import local, properties, read_xml, tag
from engine.model import Library

PROPERTIES = ("schema", "sender", "expires")
_LIFETIME = re.compile(r"P(?!$)(?:(\d{1,3})D)?(?:T(\d{1,3})H)?", re.ASCII)
_CATCHING = ("startEvent", "intermediateCatchEvent", "boundaryEvent", "receiveTask")


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as one file declares it."""

    name: str
    schema: str | None = None
    sender: str | None = None
    expires: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A message as the whole library knows it.

    ``process`` and ``element``: the process it starts and the start event; ``caught``: some case may wait for it.
    """

    message: Message
    process: str | None = None
    element: str | None = None
    caught: bool = False


def declared(root: Any) -> dict[str, Message]:
    """The messages of one file by name."""
    found = {}
    for element in root.findall(tag("message")):
        given = properties(element)
        name = element.get("name")
        if name:
            found[name] = Message(name=name, **{key: given.get(key) or None for key in PROPERTIES})
    return found


def lifetime(text: str) -> timedelta | None:
    """How long ``P30D``, ``PT12H`` or ``P1DT12H`` is; None for anything else and for nothing at all."""
    found = _LIFETIME.fullmatch(text)
    if found is None:
        return None
    return timedelta(days=int(found[1] or 0), hours=int(found[2] or 0)) or None


def known(library: Library) -> dict[str, Known]:
    """Every message of a library that passed the gate, by name."""
    found: dict[str, Known] = {}
    for path, content in library.under("processes/", ".bpmn"):
        if b"message" in content:
            for each in _of_file(read_xml(content, path)):
                found[each.message.name] = _joined(found.get(each.message.name), each)
    return found


def _of_file(root: Any) -> Iterator[Known]:
    process = root.find(tag("process"))
    names = {element.get("id"): element.get("name") for element in root.findall(tag("message"))}
    catches = [(names.get(ref), element) for element, ref in _caught(root, process)]
    for name, message in declared(root).items():
        mine = [element for caught, element in catches if caught == name]
        starts = [e for e in mine if local(e) == "startEvent" and e.getparent() is process]
        yield Known(
            message=message,
            process=process.get("id") if starts else None,
            element=starts[0].get("id") if starts else None,
            caught=len(mine) > len(starts),
        )


def _caught(root: Any, process: Any) -> Iterator[tuple[Any, str]]:
    """Every element that catches a message, with the id of the message."""
    shared = {element.get("id"): element for element in root.findall(tag("messageEventDefinition"))}
    for kind in _CATCHING:
        for element in process.iter(tag(kind)):
            named = [(ref.text or "").strip().rpartition(":")[2] for ref in element.findall(tag("eventDefinitionRef"))]
            drawn = element.findall(tag("messageEventDefinition"))
            for part in (element, *drawn, *(shared[ident] for ident in named if ident in shared)):
                if part.get("messageRef"):
                    yield element, part.get("messageRef").rpartition(":")[2]


def _joined(one: Known | None, two: Known) -> Known:
    """Two files about one message: what either says holds (the gate refuses that they differ)."""
    if one is None:
        return two
    told = {key: getattr(one.message, key) or getattr(two.message, key) for key in PROPERTIES}
    return Known(
        message=Message(name=one.message.name, **told),
        process=one.process or two.process,
        element=one.element or two.element,
        caught=one.caught or two.caught,
    )


def known_to(known: Known) -> bytes:
    """The bytes under which a publication keeps what it says of a message."""
    return json.dumps(asdict(known), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def known_from(content: bytes) -> Known:
    """The reverse of ``known_to``."""
    plain = json.loads(content)
    return Known(**{**plain, "message": Message(**plain["message"])})
