"""Reads one flow node: what the library's specification says of it, its events, loop, lane and acts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from SpiffWorkflow.bpmn.parser.ValidationException import ValidationException

from engine.bpmn.decisions import Decision
from engine.bpmn.definition import Flow, Lane, Loop, Node, Operation, Trigger
from engine.bpmn.problems import Problem
from engine.bpmn.reader import extension, local, properties, tag, text_of
from engine.bpmn.triggers import Events

SCOPES = frozenset({"subProcess", "transaction", "adHocSubProcess"})
TASKS = frozenset(
    {"userTask", "manualTask", "scriptTask", "serviceTask", "businessRuleTask", "sendTask", "receiveTask"}
)
ACTIVITIES = TASKS | SCOPES | {"callActivity"}
EVENTS: Mapping[str, frozenset[str]] = {
    "startEvent": frozenset({"message", "signal", "timer", "conditional", "error", "escalation", "compensate"}),
    "endEvent": frozenset({"message", "signal", "error", "escalation", "compensate", "cancel", "terminate"}),
    "intermediateCatchEvent": frozenset({"message", "signal", "timer", "conditional", "link"}),
    "intermediateThrowEvent": frozenset({"message", "signal", "escalation", "compensate", "link"}),
    "boundaryEvent": frozenset(
        {"message", "signal", "timer", "conditional", "error", "escalation", "compensate", "cancel"}
    ),
}
GATEWAYS = frozenset({"exclusiveGateway", "inclusiveGateway", "parallelGateway", "eventBasedGateway", "complexGateway"})
FLOW_NODES = ACTIVITIES | frozenset(EVENTS) | GATEWAYS | {"task"}
VERBS = ("milestone", "starts", "meets", "pauses", "resumes", "drops", "papers", "notices")
"""Properties that are acts, in the order in which a node's acts are done."""
RENAMING = frozenset({"scriptTask", "businessRuleTask"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What reading a node needs of its file."""

    root: Any
    events: Events
    lane_of: Mapping[str, Lane]
    decisions: Mapping[str, str]


class NodeBuilder:
    """Reads the nodes of one scope."""

    def __init__(self, parser: Any, scope: str, flows: list[Flow], lane: Lane | None, around: Surroundings) -> None:
        self.parser, self.scope, self.lane, self.around = parser, scope, lane, around
        self.key = scope.partition("/")[0]
        self.incoming: dict[str, list[Flow]] = defaultdict(list)
        self.outgoing: dict[str, list[Flow]] = defaultdict(list)
        self.boundary: dict[str, list[str]] = defaultdict(list)
        for flow in flows:
            self.incoming[flow.target].append(flow)
            self.outgoing[flow.source].append(flow)
        for child in parser.node.findall(tag("boundaryEvent")):
            self.boundary[child.get("attachedToRef")].append(child.get("id"))

    def bare(self, element: Any) -> Node:
        """The node with nothing but its flows: what stands in a draft for one that cannot be read."""
        ident, kind = element.get("id", ""), local(element)
        return Node(
            id=ident,
            kind="scriptTask" if kind == "task" else kind,
            scope=self.scope,
            path=f"{self.scope}/{ident}",
            name=element.get("name") or ident,
            lane=self.lane or self.around.lane_of.get(ident),
            incoming=tuple(self.incoming[ident]),
            outgoing=tuple(self.outgoing[ident]),
            default=element.get("default"),
            boundary=tuple(self.boundary[ident]),
            attached_to=element.get("attachedToRef"),
            interrupting=element.get("cancelActivity") != "false",
            inner=f"{self.key}/{ident}" if kind in SCOPES else None,
        )

    def node(self, element: Any) -> Node:
        """The node an element draws. Raises: Problem."""
        ident, kind = element.get("id", ""), local(element)
        if kind == "task":
            raise Problem("abstract_task")
        triggers, called = self._triggers(element, kind), _called(element) if kind == "callActivity" else None
        spec, given = self._spec(element), properties(element)
        return Node(
            id=ident,
            kind=kind,
            scope=self.scope,
            path=f"{self.scope}/{ident}",
            name=element.get("name") or ident,
            documentation=text_of(element, "documentation") or "",
            properties=given,
            lane=self.lane or self.around.lane_of.get(ident),
            form=given.get("formJsonSchemaFilename") or None,
            distinct_from=tuple(given.get("distinct_from", "").split()),
            returns_to=tuple(given.get("returns_to", "").split()),
            acts=tuple((verb, name) for verb in VERBS for name in given.get(verb, "").split()),
            triggers=triggers,
            parallel=element.get("parallelMultiple") == "true",
            incoming=tuple(self.incoming[ident]),
            outgoing=tuple(self.outgoing[ident]),
            default=element.get("default"),
            boundary=tuple(self.boundary[ident]),
            attached_to=element.get("attachedToRef"),
            interrupting=element.get("cancelActivity" if kind == "boundaryEvent" else "isInterrupting") != "false",
            handler=_handler(element) if kind == "boundaryEvent" else None,
            compensates=element.get("isForCompensation") == "true",
            loop=self._loop(element),
            inner=f"{self.key}/{ident}" if kind in SCOPES else None,
            called=called,
            condition=text_of(element, "activationCondition"),
            **self._behaviour(element, spec),
            inputs=self._associations(element, "dataInputAssociation"),
            outputs=self._associations(element, "dataOutputAssociation"),
            start_quantity=_quantity(element, "startQuantity"),
            completion_quantity=_quantity(element, "completionQuantity"),
        )

    @staticmethod
    def _behaviour(element: Any, spec: Any) -> dict[str, Any]:
        """What the library has read of scripts, answers, connectors and decisions."""
        return {
            "variable": getattr(spec, "variable", None) or None,
            "script": _text(getattr(spec, "script", None)),
            "before": _text(getattr(spec, "prescript", None)),
            "after": _text(getattr(spec, "postscript", None)),
            "operation": _operation(spec),
            "decision": _decision(element, spec),
        }

    def _spec(self, element: Any) -> Any:
        """The library's own reading of the node."""
        if local(element) == "businessRuleTask" and extension(element, "calledDecisionId") not in self.around.decisions:
            raise Problem("decision_missing", extension(element, "calledDecisionId") or "")
        try:
            spec = self.parser.read_node(element)
        except (ValidationException, TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            rule = "decision_missing" if local(element) == "businessRuleTask" else "unreadable"
            raise Problem(rule, str(error)[:200]) from error
        if spec is None:
            raise Problem("not_supported", local(element))
        return spec

    def _triggers(self, element: Any, kind: str) -> tuple[Trigger, ...]:
        if kind in EVENTS:
            found = self.around.events.of(element)
            for trigger in found:
                if trigger.kind not in EVENTS[kind]:
                    raise Problem("event_not_allowed", trigger.kind)
            if kind in ("boundaryEvent", "intermediateCatchEvent") and not found:
                raise Problem("event_missing")
            return found
        if kind == "receiveTask" and not element.get("messageRef"):
            raise Problem("message_missing")
        if kind in ("sendTask", "receiveTask") and element.get("messageRef"):
            return (self.around.events.message(element),)
        return ()

    def _associations(self, element: Any, kind: str) -> tuple[tuple[str, str], ...]:
        """Pairs of variable names to copy; a data object is a variable called by its id, in its own scope."""
        pairs = []
        for link in element.findall(tag(kind)):
            if link.find(tag("transformation")) is not None or link.find(tag("assignment")) is not None:
                raise Problem("data_mapping")
            source, target = self._object(text_of(link, "sourceRef")), self._object(text_of(link, "targetRef"))
            if source and target and source != target:
                if local(element) not in RENAMING:
                    raise Problem("data_renamed")
                pairs.append((source, target))
        return tuple(pairs)

    def _object(self, ident: str | None) -> str | None:
        for reference in self.around.root.iter(tag("dataObjectReference")):
            if reference.get("id") == ident:
                return str(reference.get("dataObjectRef"))
        return ident

    def _loop(self, element: Any) -> Loop | None:
        standard = element.find(tag("standardLoopCharacteristics"))
        if standard is not None:
            maximum = standard.get("loopMaximum")
            if maximum is not None and not maximum.isdigit():
                raise Problem("quantity", "loopMaximum")
            before = standard.get("testBefore") == "true"
            condition = text_of(standard, "loopCondition")
            return Loop(standard=True, condition=condition, maximum=maximum, test_before=before)
        multi = element.find(tag("multiInstanceLoopCharacteristics"))
        return None if multi is None else self._multi(multi)

    def _multi(self, multi: Any) -> Loop:
        cardinality, items = text_of(multi, "loopCardinality"), text_of(multi, "loopDataInputRef")
        if (cardinality is None) == (items is None):
            raise Problem("loop_source")
        events = self.around.events
        throws = [
            ("True", events.one(events.resolve(multi.get(name))))
            for name in ("noneBehaviorEventRef", "oneBehaviorEventRef")
            if multi.get(name)
        ]
        for each in multi.findall(tag("complexBehaviorDefinition")):
            throws += [(text_of(each, "condition") or "True", events.one(e)) for e in each.find(tag("event"))]
        return Loop(
            standard=False,
            sequential=multi.get("isSequential") == "true",
            condition=text_of(multi, "completionCondition"),
            maximum=cardinality,
            items=items,
            item=_ident(multi, "inputDataItem"),
            outputs=text_of(multi, "loopDataOutputRef"),
            output=_ident(multi, "outputDataItem"),
            behavior=multi.get("behavior", "All"),
            throws=tuple(throws),
        )


def _ident(element: Any, name: str) -> str | None:
    found = element.find(tag(name))
    return found.get("id") if found is not None else None


def _text(text: Any) -> str | None:
    return text if isinstance(text, str) and text.strip() else None


def _called(element: Any) -> str:
    called = element.get("calledElement")
    if not called:
        raise Problem("called_missing")
    return str(called)


def _handler(element: Any) -> str | None:
    """The activity associated with a compensation event."""
    for link in element.getparent().findall(tag("association")):
        if link.get("sourceRef") == element.get("id"):
            return str(link.get("targetRef"))
    return None


def _quantity(element: Any, name: str) -> int:
    value = element.get(name, "1")
    if not value.isdigit() or int(value) < 1:
        raise Problem("quantity", name)
    return int(value)


def _operation(spec: Any) -> Operation | None:
    name = getattr(spec, "operation_name", None)
    if not name:
        return None
    parameters = tuple((ident, each["value"]) for ident, each in spec.operation_params.items())
    return Operation(name=name, parameters=parameters, result=spec.result_variable)


def _decision(element: Any, spec: Any) -> Decision | None:
    if local(element) != "businessRuleTask":
        return None
    return Decision(extension(element, "calledDecisionId") or "", spec.dmnEngine)
