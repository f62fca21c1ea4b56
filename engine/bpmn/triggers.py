"""Reads event definitions: what an event throws, catches or waits for."""

from __future__ import annotations

import re
from typing import Any

from engine.bpmn.definition import Trigger
from engine.bpmn.problems import Problem
from engine.bpmn.reader import SPIFF, extension, local, text_of

DEADLINE = re.compile(r"""^deadline\(\s*(?:'([\w-]+)'|"([\w-]+)")\s*\)$""")


class Events:
    """The event definitions of one file, references between them resolved by id."""

    def __init__(self, root: Any) -> None:
        self._by_id = {e.get("id"): e for e in root if isinstance(e.tag, str) and e.get("id")}

    def of(self, element: Any) -> tuple[Trigger, ...]:
        """The triggers of an event element, referenced definitions included. Raises: Problem."""
        found = []
        for child in element:
            name = local(child)
            if name == "eventDefinitionRef":
                found.append(self.one(self.resolve((child.text or "").strip().split(":")[-1])))
            elif name.endswith("EventDefinition"):
                found.append(self.one(child))
        return tuple(found)

    def resolve(self, ident: str) -> Any:
        """The element of this id. Raises: Problem."""
        found = self._by_id.get(ident.rpartition(":")[2])
        if found is None:
            raise Problem("reference_missing", ident)
        return found

    def one(self, element: Any) -> Trigger:
        """The trigger of one event definition. Raises: Problem."""
        kind = local(element).removesuffix("EventDefinition")
        read = getattr(self, "_" + kind, None)
        if read is None:
            raise Problem("not_supported", local(element))
        made: Trigger = read(element)
        return made

    def message(self, element: Any) -> Trigger:
        """The message that an event definition, a send task or a receive task names."""
        defined = self.resolve(element.get("messageRef") or "")
        if not defined.get("name") or local(defined) != "message":
            raise Problem("reference_missing", element.get("messageRef") or "")
        return Trigger(
            kind="message",
            key=defined.get("name"),
            payload=_inner(element, "messagePayload") or _inner(defined, "messagePayload"),
            variable=_inner(element, "messageVariable") or _inner(defined, "messageVariable"),
            correlation=_correlation(element) or _correlation(defined),
        )

    def _message(self, element: Any) -> Trigger:
        return self.message(element)

    def _signal(self, element: Any) -> Trigger:
        defined = self.resolve(element.get("signalRef") or "")
        return _carrying("signal", defined.get("name"), defined)

    def _error(self, element: Any) -> Trigger:
        return self._code("error", element)

    def _escalation(self, element: Any) -> Trigger:
        return self._code("escalation", element)

    def _code(self, kind: str, element: Any) -> Trigger:
        if not element.get(kind + "Ref"):
            return Trigger(kind=kind)
        defined = self.resolve(element.get(kind + "Ref"))
        return _carrying(kind, defined.get(kind + "Code") or defined.get("id"), defined)

    def _timer(self, element: Any) -> Trigger:
        for kind in ("timeDate", "timeDuration", "timeCycle"):
            text = text_of(element, kind)
            if text:
                named = DEADLINE.match(text)
                if named and kind != "timeDate":
                    raise Problem("deadline_place")
                return Trigger(kind="timer", key=kind, text=text, deadline=(named[1] or named[2]) if named else None)
        raise Problem("timer_missing")

    def _conditional(self, element: Any) -> Trigger:
        text = text_of(element, "condition")
        if not text:
            raise Problem("condition_missing")
        return Trigger(kind="conditional", text=text)

    def _link(self, element: Any) -> Trigger:
        return Trigger(kind="link", key=element.get("name"))

    def _compensate(self, element: Any) -> Trigger:
        return Trigger(
            kind="compensate", key=element.get("activityRef"), wait=element.get("waitForCompletion") != "false"
        )

    def _cancel(self, _element: Any) -> Trigger:
        return Trigger(kind="cancel")

    def _terminate(self, _element: Any) -> Trigger:
        return Trigger(kind="terminate")


def _carrying(kind: str, key: str | None, defined: Any) -> Trigger:
    if not key:
        raise Problem("reference_missing", defined.get("id") or "")
    return Trigger(
        kind=kind, key=key, payload=extension(defined, "payloadExpression"), variable=extension(defined, "variableName")
    )


def _inner(element: Any, name: str) -> str | None:
    """Text of the first extension of this name anywhere inside, as the library looks for it."""
    found = element.find(f".//{{{SPIFF}}}{name}")
    return (found.text or "").strip() or None if found is not None else None


def _correlation(element: Any) -> str | None:
    found = element.findall(f".//{{{SPIFF}}}processVariableCorrelation")
    if len(found) > 1:
        raise Problem("several_correlations")
    return _inner(found[0], "expression") if found else None
