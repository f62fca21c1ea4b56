"""From one BPMN file to a Process, and from processes to a Definition; refuses what cannot be run rightly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from SpiffWorkflow.bpmn.parser.ValidationException import ValidationException

from engine.bpmn.decisions import add_tables
from engine.bpmn.definition import Definition, Flow, Lane, Node, Process, Scope
from engine.bpmn.messages import declared
from engine.bpmn.nodes import FLOW_NODES, SCOPES, NodeBuilder, Surroundings
from engine.bpmn.problems import Problems
from engine.bpmn.reader import BPMN, SPIFF, NodeReader, local, properties, read_xml, tag, text_of
from engine.bpmn.sentences import diagram
from engine.bpmn.triggers import Events
from engine.errors import Finding, Refused

MOST_NODES = 1_000
"""Flow nodes of one process: the gate's proofs take more than linear time."""
_NO_DECISIONS: Mapping[str, bytes] = {}


def compile_process(xml: bytes, file: str = "", decisions: Mapping[str, bytes] = _NO_DECISIONS) -> Process:
    """Compile the one process of a BPMN file.

    ``decisions`` holds the content of DMN files under any names; only tables the process uses are read. ``file`` is
    named in findings.

    Raises:
        Refused: with every finding of the file.
    """
    made, findings = draft_process(xml, file, decisions)
    if findings:
        raise Refused(findings)
    assert made is not None  # noqa: S101 - without findings there is a process
    return made


def draft_process(
    xml: bytes, file: str = "", decisions: Mapping[str, bytes] = _NO_DECISIONS
) -> tuple[Process | None, list[Finding]]:
    """As ``compile_process``, for the gate: what could be read even so, that one mistake may not hide the others.

    An element that cannot be read is there with its flows and nothing else. None where nothing can be said of the rest.
    """
    try:
        root = read_xml(xml, file)
    except Refused as refused:
        return None, refused.findings
    problems = Problems(file)
    elements = root.findall(tag("process"))
    if root.tag != tag("definitions"):
        problems.add("", "not_bpmn")
    elif len(elements) != 1:
        problems.add("", "one_process")
    elif elements[0].get("isExecutable", "true") != "true":
        problems.add(elements[0].get("id", ""), "not_executable")
    elif too_large(root):
        problems.add(elements[0].get("id", ""), "too_many_elements", str(MOST_NODES))
        return None, problems.findings
    if len(elements) != 1 or root.tag != tag("definitions"):
        return None, problems.findings
    _part_ids(root, problems)
    made = _Compiler(root, problems, decisions).process(elements[0], hashlib.sha256(xml).hexdigest(), file)
    return made, problems.findings


def too_large(root: Any) -> bool:
    """Does a file hold more flow nodes than are looked at?"""
    return sum(1 for _ in root.iter(*map(tag, FLOW_NODES))) > MOST_NODES


def link(root: str, processes: Mapping[str, Process]) -> Definition:
    """Everything ``root`` can reach among ``processes`` (key to Process), as one Definition.

    Raises:
        Refused: ``root`` or a called process is missing, or a process calls itself (directly or through others).
    """
    problems: list[Any] = []
    if root not in processes:
        raise Refused([diagram(root, "", "called_missing", root)])
    found: dict[str, Process] = {}
    _reach(processes[root], processes, found, (), problems)
    if problems:
        raise Refused(problems)
    digest = hashlib.sha256(root.encode())
    for key in sorted(found):
        parts = (key, found[key].digest, *sorted(found[key].decisions.values()))
        digest.update(b"\0".join((b"", *(part.encode() for part in parts))))
    scopes = {name: scope for key in sorted(found) for name, scope in found[key].scopes.items()}
    return Definition(
        root=root, digest=digest.hexdigest(), processes=found, scopes=scopes, reentered=_reentered(scopes)
    )


def _reentered(scopes: Mapping[str, Scope]) -> frozenset[str]:
    """The call activities that somebody may return into."""
    nodes = [node for scope in scopes.values() for node in scope.nodes.values()]
    named = {word.partition("/")[0] for node in nodes for word in node.returns_to if "/" in word}
    return frozenset(node.path for node in nodes if node.called and node.id in named and node.loop is None)


def _reach(
    process: Process,
    processes: Mapping[str, Process],
    found: dict[str, Process],
    above: tuple[str, ...],
    problems: list[Any],
) -> None:
    found[process.key] = process
    above += (process.key,)
    for scope in process.scopes.values():
        for node in scope.nodes.values():
            if node.called is None:
                continue
            if node.called in above:
                problems.append(diagram(process.file, node.id, "call_cycle", node.called))
            elif node.called not in processes:
                problems.append(diagram(process.file, node.id, "called_missing", node.called))
            elif node.called not in found:
                _reach(processes[node.called], processes, found, above, problems)


def _part_ids(root: Any, problems: Problems) -> None:
    """An id that occurs again is a finding, and is then another one, so that the rest can be read."""
    seen: set[str] = set()
    for element in root.iter(f"{{{BPMN}}}*"):
        ident = element.get("id") if local(element) not in _DATA else None
        if ident and ident in seen:
            problems.add(ident, "duplicate_id")
            element.set("id", f"{ident}{AGAIN}{len(seen)}")
        seen.add(element.get("id") or "")


AGAIN = "~"
"""In the id of a draft's element whose own id occurred before; no XML id holds it."""
_DATA = ("dataInput", "dataOutput", "inputDataItem", "outputDataItem")
"""Their ids are names of variables: one may be input and output."""


class _Compiler:
    """Walks one file."""

    def __init__(self, root: Any, problems: Problems, decisions: Mapping[str, bytes]) -> None:
        self.root, self.problems = root, problems
        self.reader = NodeReader(validator=None)
        wanted = {(e.text or "").strip() for e in root.iter(f"{{{SPIFF}}}calledDecisionId")}
        self.decisions = add_tables(self.reader, wanted, decisions)
        self.scopes: dict[str, Scope] = {}
        self.lanes: dict[str, Lane] = {}
        self.lane_of: dict[str, Lane] = {}
        self.around = Surroundings(root=root, events=Events(root), lane_of=self.lane_of, decisions=self.decisions)

    def process(self, element: Any, digest: str, file: str) -> Process | None:
        """The whole process."""
        key = element.get("id", "")
        try:
            self.reader.add_bpmn_xml(self.root)
        except (ValidationException, TypeError, ValueError) as error:
            self.problems.add(key, "unreadable", str(error)[:200])
            return None
        for lanes in element.findall(tag("laneSet")):
            self._lanes(lanes)
        self._scope(element, key, None, None, None)
        nodes = [n for s in self.scopes.values() for n in s.nodes.values()]
        if not self.scopes[key].starts and not _event_starts(self.scopes[key]):
            self.problems.add(key, "start_missing")
            return None
        puts = element.find(tag("ioSpecification"))
        told = declared(self.root)
        return Process(
            key=key,
            digest=digest,
            name=element.get("name") or key,
            file=file,
            documentation=text_of(element, "documentation") or "",
            properties=properties(element),
            scopes=self.scopes,
            calls=tuple(sorted({n.called for n in nodes if n.called})),
            inputs=tuple(e.get("id") for e in puts.findall(tag("dataInput"))) if puts is not None else (),
            outputs=tuple(e.get("id") for e in puts.findall(tag("dataOutput"))) if puts is not None else (),
            lanes=self.lanes,
            forms=tuple(sorted({n.form for n in nodes if n.form} | {m.schema for m in told.values() if m.schema})),
            decisions=self.decisions,
            messages=told,
        )

    def _lanes(self, lane_set: Any) -> None:
        """Outer lanes first: a node belongs to the innermost lane that names it."""
        for element in lane_set.findall(tag("lane")):
            ident = element.get("id", "")
            lane = Lane(id=ident, name=element.get("name") or ident, scope_expression=properties(element).get("scope"))
            self.lanes[ident] = lane
            for ref in element.findall(tag("flowNodeRef")):
                self.lane_of[(ref.text or "").strip()] = lane
            for inner in element.findall(tag("childLaneSet")):
                self._lanes(inner)

    def _scope(self, element: Any, key: str, parent: str | None, outer: Any, lane: Lane | None) -> None:
        name = key if parent is None else f"{key}/{element.get('id')}"
        parser = self.reader.scope(element, outer)
        idents = {c.get("id") for c in element if local(c) in FLOW_NODES}
        flows = [_flow(f) for f in element.findall(tag("sequenceFlow"))]
        for flow in flows:
            if flow.source not in idents or flow.target not in idents:
                self.problems.add(flow.id, "flow_end_missing")
        whole = [flow for flow in flows if flow.source in idents and flow.target in idents]
        build = NodeBuilder(parser, name, whole, lane, self.around)
        nodes: dict[str, Node] = {}
        for child in element:
            kind = local(child)
            ident = child.get("id", "")
            if kind in FLOW_NODES:
                nodes[ident] = build.bare(child)
                with self.problems.at(ident):
                    nodes[ident] = build.node(child)
                if kind in SCOPES:
                    self._scope(child, key, name, parser, nodes[ident].lane)
            elif kind in _REFUSED:
                self.problems.add(ident, "not_supported", kind)
        links, handlers = self._linked(nodes), self._handlers(element, nodes, key)
        self.scopes[name] = Scope(
            name=name,
            kind="process" if parent is None else local(element),
            nodes=nodes,
            starts=_starts(nodes, handlers),
            handlers=handlers,
            links=links,
            data_objects=tuple(e.get("id") for e in element.findall(tag("dataObject"))),
            parent=parent,
            sequential=element.get("ordering") == "Sequential",
            condition=text_of(element, "completionCondition"),
        )

    def _linked(self, nodes: dict[str, Node]) -> dict[str, str]:
        links = {
            node.trigger.key or "": node.id
            for node in nodes.values()
            if node.kind == "intermediateCatchEvent" and node.trigger and node.trigger.kind == "link"
        }
        for node in list(nodes.values()):
            thrown = node.trigger if node.kind == "intermediateThrowEvent" else None
            if thrown and thrown.kind == "link" and thrown.key not in links:
                self.problems.add(node.id, "link_missing", thrown.key or "")
                nodes[node.id] = replace(node, triggers=())
        return links

    def _handlers(self, element: Any, nodes: dict[str, Node], key: str) -> tuple[str, ...]:
        """Ids of the event sub-processes of this scope."""
        found = tuple(c.get("id") for c in element if c.get("triggeredByEvent") == "true" and c.get("id") in nodes)
        for ident in found:
            inner = self.scopes.get(f"{key}/{ident}")
            if inner is None or len(_event_starts(inner)) != 1:
                self.problems.add(ident, "handler_start")
                self.scopes.pop(f"{key}/{ident}", None)
                del nodes[ident]
        return tuple(ident for ident in found if ident in nodes)


_REFUSED = {
    "choreographyTask",
    "subChoreography",
    "callChoreography",
    "implicitThrowEvent",
    "event",
    "dataStoreReference",
}


def _flow(element: Any) -> Flow:
    condition = text_of(element, "conditionExpression")
    source, target = element.get("sourceRef", ""), element.get("targetRef", "")
    return Flow(id=element.get("id", ""), source=source, target=target, condition=condition)


def _event_starts(scope: Scope) -> list[Node]:
    return [n for n in scope.nodes.values() if n.kind == "startEvent" and n.triggers]


def _starts(nodes: dict[str, Node], handlers: tuple[str, ...]) -> tuple[str, ...]:
    """Plain start events, else (BPMN 2.0 §13.2.1, no start event) every node that nothing leads to."""
    events = [n for n in nodes.values() if n.kind == "startEvent"]
    if events:
        return tuple(n.id for n in events if not n.triggers)
    return tuple(
        n.id
        for n in nodes.values()
        if not n.incoming and n.kind != "boundaryEvent" and not n.compensates and n.id not in handlers and not _link(n)
    )


def _link(node: Node) -> bool:
    return node.kind == "intermediateCatchEvent" and node.listens_to("link")
