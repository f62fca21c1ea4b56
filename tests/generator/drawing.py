"""BPMN XML of a generated diagram."""

from __future__ import annotations

from tests.diagrams import element, flow, io, process, text
from tests.generator.model import Diagram, Element, Event, Loop, Scope

TAGS = {
    "user": "userTask",
    "manual": "manualTask",
    "service": "serviceTask",
    "script": "scriptTask",
    "receive": "receiveTask",
    "send": "sendTask",
    "exclusive": "exclusiveGateway",
    "inclusive": "inclusiveGateway",
    "parallel": "parallelGateway",
    "complex": "complexGateway",
    "event_based": "eventBasedGateway",
    "start": "startEvent",
    "end": "endEvent",
    "catch": "intermediateCatchEvent",
    "throw": "intermediateThrowEvent",
    "boundary": "boundaryEvent",
    "sub": "subProcess",
    "handler": "subProcess",
    "transaction": "transaction",
    "call": "callActivity",
}


def draw(diagram: Diagram) -> dict[str, bytes]:
    """The file of each process by its key."""
    return {key: _file(diagram, key, scope) for key, scope in diagram.processes.items()}


def _file(diagram: Diagram, key: str, scope: Scope) -> bytes:
    crossing = ""
    if key in diagram.takes:
        crossing = io(" ".join(diagram.takes[key]), " ".join(diagram.gives[key]))
    names = sorted({(e.event.kind, e.event.name) for e in _elements(scope) if e.event and e.event.name})
    more = "".join(_root(kind, name) for kind, name in names)
    return process(crossing, *_body(scope), ident=key, more=more)


def _elements(scope: Scope) -> list[Element]:
    found = list(scope.elements.values())
    for each in scope.elements.values():
        if each.inner:
            found += _elements(each.inner)
    return found


def _root(kind: str, name: str) -> str:
    if kind in ("message", "signal"):
        return element(kind, name, name=name)
    if kind in ("error", "escalation"):
        return element(kind, name, **{kind + "Code": name})
    return ""


def _body(scope: Scope) -> list[str]:
    parts = [_element(each) for each in scope.elements.values()]
    parts += [flow(f.source, f.target, when=str(f.test or ""), ident=f.id) for f in scope.flows.values()]
    return parts + [
        element("association", f"a_{e.id}", sourceRef=e.id, targetRef=e.undo, associationDirection="One")
        for e in scope.elements.values()
        if e.undo
    ]


def _element(each: Element) -> str:
    inner = _event(each.event) if each.event and each.kind not in ("receive", "send") else ""
    if each.kind == "complex":
        inner += f"<activationCondition>activationCount &gt;= {each.activation}</activationCondition>"
    if each.loop:
        inner += _loop(each.loop)
    if each.kind == "script":
        code = f"{each.sets} = {each.to if each.to is not None else f'({each.sets} + {each.adds}) % 10'}"
        inner += f"<script>{code}</script>"
    if each.inner:
        inner += "".join(_body(each.inner))
    return element(TAGS[each.kind], each.id, inner, **_attributes(each))


def _attributes(each: Element) -> dict[str, str]:
    boundary = each.kind == "boundary"
    given = {
        "messageRef": each.event.name if each.event and each.kind in ("receive", "send") else "",
        "default": each.default,
        "isForCompensation": "true" if each.undoes else "",
        "attachedToRef": each.host,
        "cancelActivity": str(each.interrupting).lower() if boundary else "",
        "isInterrupting": "" if each.interrupting or boundary else "false",
        "triggeredByEvent": "true" if each.kind == "handler" else "",
        "calledElement": each.called,
        "startQuantity": str(each.start_quantity) if each.start_quantity > 1 else "",
        "completionQuantity": str(each.completion_quantity) if each.completion_quantity > 1 else "",
    }
    return {name: value for name, value in given.items() if value}


def _loop(loop: Loop) -> str:
    if loop.standard:
        inner = f"<loopCondition>{text(str(loop.until))}</loopCondition>" if loop.until else ""
        before = str(loop.before).lower()
        return element(
            "standardLoopCharacteristics", "", inner, loopMaximum=str(loop.number), testBefore=before
        ).replace(' id=""', "")
    number = f"{loop.number_of} % 4" if loop.number_of else str(loop.number)
    inner = f"<loopCardinality>{number}</loopCardinality><loopDataOutputRef>{loop.outputs}</loopDataOutputRef>"
    inner += f'<outputDataItem id="{loop.item}" name="{loop.item}"/>'
    inner += f"<completionCondition>{text(str(loop.until))}</completionCondition>" if loop.until else ""
    how = f'isSequential="{str(loop.sequential).lower()}"'
    return f"<multiInstanceLoopCharacteristics {how}>{inner}</multiInstanceLoopCharacteristics>"


def _event(event: Event) -> str:
    kind, name = event.kind, event.name
    if kind in ("timer", "cycle"):
        tag, value = ("timeDuration", "") if kind == "timer" else ("timeCycle", f"R{event.rounds}/")
        return f"<timerEventDefinition><{tag}>{value}PT{event.hours}H</{tag}></timerEventDefinition>"
    if kind == "conditional":
        return (
            f"<conditionalEventDefinition><condition>{text(str(event.test))}</condition></conditionalEventDefinition>"
        )
    if kind == "link":
        return f'<linkEventDefinition name="{name}"/>'
    given = f' activityRef="{name}"' if kind == "compensate" and name else ""
    given = f' {kind}Ref="{name}"' if name and kind != "compensate" else given
    return f"<{kind}EventDefinition{given}/>"
