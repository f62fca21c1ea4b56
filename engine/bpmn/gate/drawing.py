"""What plain XML shows of one diagram: schema, file name, shapes, names, and the files and rows it refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from threading import Lock
from typing import Any

from lxml import etree
from SpiffWorkflow.spiff.parser.process import VALIDATOR

from engine.bpmn.gate.sentences import finding
from engine.bpmn.nodes import FLOW_NODES, GATEWAYS, VERBS
from engine.bpmn.reader import SPIFF, local, properties, tag, text_of
from engine.errors import Finding, NotFound
from engine.model import Library
from engine.registers import Registers

DI = "http://www.omg.org/spec/BPMN/20100524/DI"
DEADLINE_VERBS = ("starts", "meets", "pauses", "resumes", "drops")
_DRAWN = FLOW_NODES | {"sequenceFlow", "lane", "participant", "messageFlow", "textAnnotation", "association"}
_PLACES = {
    "process": {"item", "title"},
    "lane": {"scope"},
    "userTask": {"formJsonSchemaFilename", "formUiSchemaFilename", "distinct_from", "returns_to"},
    "endEvent": {"outcome"},
}
_ACTING = {*VERBS, "since", "citation"}
_KNOWN = _ACTING.union(*_PLACES.values())
_EXTENSIONS = {
    *("properties", "variableName", "preScript", "postScript", "calledDecisionId", "serviceTaskOperator"),
    *("instructionsForEndUser", "messagePayload", "messageVariable", "processVariableCorrelation"),
    *("payloadExpression", "unitTests"),
}
"""What the machine reads, and what only people and test tools read."""
_SCHEMA_LOCK = Lock()
_NAMESPACE = re.compile(r"\{http[^}]*\}")


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What diagrams may refer to: files, registers, deadlines that some process starts, outputs of each decision.

    ``item_keys``: what the variable ``item`` holds; None where there is no item to tell.
    """

    library: Library
    registers: Registers | None
    started: frozenset[str]
    decided: Mapping[str, frozenset[str]]
    item_keys: frozenset[str] | None = None

    def column(self, register: str) -> set[str] | None:
        """The keys of a register; None where it cannot be read, so that nothing is blamed twice."""
        if self.registers is None:
            return None
        try:
            table = self.registers.table(register)
        except NotFound:
            return set()
        return {row[table.columns[0]] for row in table.rows}

    def row(self, register: str, key: str) -> dict[str, str]:
        """One row, empty where there is none."""
        try:
            return dict(self.registers.row(register, key)) if self.registers else {}
        except NotFound:
            return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """One BPMN file as XML; ``process`` is its (first) process element."""

    file: str
    root: Any
    process: Any

    @property
    def key(self) -> str:
        """The process's id."""
        return str(self.process.get("id") or "")

    def elements(self) -> Iterator[Any]:
        """The process and all elements inside that have an id."""
        return (e for e in self.process.iter() if isinstance(e.tag, str) and e.get("id"))

    def started(self) -> Iterator[str]:
        """Kinds of deadlines that some element starts."""
        return (kind for e in self.elements() for kind in properties(e).get("starts", "").split())


def check_drawing(drawing: Drawing, world: World) -> Iterator[Finding]:
    """All findings that need no compiling."""
    yield from _schema(drawing)
    if drawing.file.rsplit("/", 1)[-1] != f"{drawing.key}.bpmn":
        yield finding(drawing.file, drawing.key, "file_name", drawing.key)
    yield from _shapes(drawing)
    yield from _words(drawing)
    for element in drawing.elements():
        yield from _placed(drawing.file, element)
        yield from _acts(drawing.file, element, world)
    yield from _tasks(drawing, world)
    yield from _lanes(drawing, world)
    yield from _item(drawing, world)


def _schema(drawing: Drawing) -> Iterator[Finding]:
    copy = deepcopy(drawing.root)
    VALIDATOR.preprocess(copy)  # the library mends a fault of the usual modeller before it looks
    with _SCHEMA_LOCK:  # lxml keeps the messages in the schema object
        if VALIDATOR.validator.validate(copy):
            return
        entries = [(entry.path, str(entry.message)) for entry in VALIDATOR.validator.error_log]
    for path, message in entries:
        yield finding(drawing.file, _nearest(copy, path), "schema", _NAMESPACE.sub("", message)[:200])


def _nearest(root: Any, path: str | None) -> str:
    try:
        found = root.getroottree().xpath(path or "/none", namespaces={k: v for k, v in root.nsmap.items() if k})
    except etree.XPathError:
        return ""
    element = found[0] if found else None
    while element is not None and not element.get("id"):
        element = element.getparent()
    return str(element.get("id")) if element is not None else ""


def _shapes(drawing: Drawing) -> Iterator[Finding]:
    drawn = {
        e.get("bpmnElement")
        for kind in ("BPMNShape", "BPMNEdge")
        for e in drawing.root.iter(f"{{{DI}}}{kind}")
        if len(e)
    }
    for element in drawing.root.iter():
        if local(element) in _DRAWN and element.get("id") not in drawn:
            yield finding(drawing.file, element.get("id") or "", "shape_missing")


def _words(drawing: Drawing) -> Iterator[Finding]:
    if not text_of(drawing.process, "documentation"):
        yield finding(drawing.file, drawing.key, "documentation_missing", severity="warning")
    for element in drawing.elements():
        kind = local(element)
        splits = kind in GATEWAYS - {"parallelGateway"} and len(element.findall(tag("outgoing"))) > 1
        named = kind in FLOW_NODES - GATEWAYS or kind in ("lane", "process") or splits
        if named and not (element.get("name") or "").strip():
            yield finding(drawing.file, element.get("id"), "name_missing", severity="warning")


def _placed(file: str, element: Any) -> Iterator[Finding]:
    kind = local(element)
    allowed = _PLACES.get(kind, set()) | (_ACTING if kind in FLOW_NODES else set())
    for child in element.findall(f"{tag('extensionElements')}/{{{SPIFF}}}*"):
        if local(child) not in _EXTENSIONS:
            yield finding(file, element.get("id"), "property_unknown", f"spiffworkflow:{local(child)}")
    for name in properties(element):
        if name not in _KNOWN:
            yield finding(file, element.get("id"), "property_unknown", name)
        elif name not in allowed:
            yield finding(file, element.get("id"), "property_place", name)


def _acts(file: str, element: Any, world: World) -> Iterator[Finding]:
    ident, given = element.get("id"), properties(element)
    if not given:
        return
    deadlines = world.column("deadline_kinds")
    for verb in (*DEADLINE_VERBS, "since"):
        for kind in given.get(verb, "").split():
            if deadlines is not None and kind not in deadlines:
                yield finding(file, ident, "deadline_unknown", kind)
            elif kind not in world.started:
                yield finding(file, ident, "deadline_never_started", kind)
    if given.get("pauses") and not given.get("citation"):
        yield finding(file, ident, "standstill_citation")
    for verb, register, path, rule in (
        ("papers", "papers", "forms/documents/{}.html", "paper_unknown"),
        ("notices", "notices", "forms/notices/{}.txt", "notice_unknown"),
    ):
        rows = world.column(register)
        for kind in given.get(verb, "").split():
            if (rows is not None and kind not in rows) or path.format(kind) not in world.library.files:
                yield finding(file, ident, rule, kind)


def _tasks(drawing: Drawing, world: World) -> Iterator[Finding]:
    tasks = {e.get("id"): e for e in drawing.process.iter(tag("userTask"))}
    seated = _seated(drawing)
    for ident, element in tasks.items():
        given = properties(element)
        form = given.get("formJsonSchemaFilename")
        if not form:
            yield finding(drawing.file, ident, "form_missing")
        elif f"forms/{form}" not in world.library.files:
            yield finding(drawing.file, ident, "form_unknown", form)
        if element.find(f".//{{{SPIFF}}}variableName") is None:
            yield finding(drawing.file, ident, "variable_missing")
        if not any(e.get("id") in seated for e in (element, *element.iterancestors())):
            yield finding(drawing.file, ident, "no_lane")
        for other in given.get("distinct_from", "").split():
            if other not in tasks:
                yield finding(drawing.file, ident, "distinct_unknown", other)
    for start in drawing.process.findall(tag("startEvent")):
        if properties(drawing.process).get("item") and start.get("id") not in seated:
            yield finding(drawing.file, start.get("id"), "start_lane")


def _seated(drawing: Drawing) -> set[str]:
    """Ids of the elements that some lane holds."""
    return {(ref.text or "").strip() for ref in drawing.process.iter(tag("flowNodeRef"))}


def _lanes(drawing: Drawing, world: World) -> Iterator[Finding]:
    roles = world.column("roles")
    for lane in drawing.process.iter(tag("lane")):
        if lane.find(tag("childLaneSet")) is not None:
            continue
        if roles is not None and lane.get("id") not in roles:
            yield finding(drawing.file, lane.get("id"), "role_unknown", lane.get("id"))
        if not properties(lane).get("scope"):
            yield finding(drawing.file, lane.get("id"), "scope_missing")


def _item(drawing: Drawing, world: World) -> Iterator[Finding]:
    code, known = properties(drawing.process).get("item"), world.column("items")
    if not code or known is None:
        return
    if code not in known:
        yield finding(drawing.file, drawing.key, "item_unknown", code)
    elif world.row("items", code).get("key") != drawing.key:
        yield finding(drawing.file, drawing.key, "item_key", code)
