"""Hardened XML, and the library's parser told to read single nodes and to leave the graph to us.

Every node parser of the library is kept for what it reads well (scripts, services, decisions, extensions). Overridden,
by subclassing only: no recursion along flows, no boundary or loop wrappers, event definitions and data associations
read by us, and all nodes of a scope, unreachable ones too.
"""

from __future__ import annotations

from typing import Any

from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.parser.task_parsers import GatewayParser
from SpiffWorkflow.bpmn.specs.bpmn_process_spec import BpmnProcessSpec
from SpiffWorkflow.bpmn.specs.event_definitions import NoneEventDefinition
from SpiffWorkflow.spiff.parser.process import SpiffBpmnParser, SpiffProcessParser
from SpiffWorkflow.spiff.parser.task_spec import SpiffTaskParser
from SpiffWorkflow.spiff.specs.defaults import NoneTask, SubWorkflowTask

from engine.bpmn.sentences import diagram
from engine.errors import Refused

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
SPIFF = "http://spiffworkflow.org/bpmn/schema/1.0/core"
SIZE_LIMIT = 5 * 1024 * 1024
DEEPEST = 100
"""Elements inside one another; far more than anybody draws, far less than would exhaust what walks them."""
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (DEEPEST + 1) + ")")


def read_xml(content: bytes, file: str = "") -> Any:
    """The root element of a file.

    Raises: Refused (larger than 5 MB, not well-formed, any DOCTYPE, nested too deeply). Nothing outside the file is
    ever read.
    """
    if len(content) > SIZE_LIMIT:
        raise Refused([diagram(file, "", "file_too_large")])
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, dtd_validation=False
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refused([diagram(file, "", "not_xml")]) from error
    documents = root.getroottree().docinfo
    if documents.doctype or documents.internalDTD is not None or documents.externalDTD is not None:
        raise Refused([diagram(file, "", "doctype")])
    if _TOO_DEEP(root):
        raise Refused([diagram(file, "", "too_deep")])
    return root


def tag(name: str) -> str:
    """The full tag of a BPMN element."""
    return f"{{{BPMN}}}{name}"


def local(element: Any) -> str:
    """The tag of an element without its namespace; empty for comments."""
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def text_of(element: Any, name: str) -> str | None:
    """Stripped text of the first BPMN child called ``name``."""
    return _stripped(element.find(tag(name)))


def extension(element: Any, name: str) -> str | None:
    """Stripped text of the extension ``spiffworkflow:name`` of this very element."""
    return _stripped(element.find(f"{tag('extensionElements')}/{{{SPIFF}}}{name}"))


def properties(element: Any) -> dict[str, str]:
    """The ``spiffworkflow:property`` pairs of this very element."""
    path = f"{tag('extensionElements')}/{{{SPIFF}}}properties/{{{SPIFF}}}property"
    return {each.get("name", ""): each.get("value", "").strip() for each in element.findall(path)}


def _stripped(element: Any) -> str | None:
    text = (element.text or "").strip() if element is not None else ""
    return text or None


class SingleNode:
    """Put in front of every node parser class of the library."""

    def parse_node(self: Any) -> Any:
        """The node's specification alone."""
        self.task = self.create_task()
        return self.task

    def parse_incoming_data_references(self) -> list[Any]:
        """Associations are read by the compiler, with direction and targets."""
        return []

    def parse_outgoing_data_references(self) -> list[Any]:
        """As above."""
        return []

    def get_event_definition(self, _paths: Any) -> Any:
        """Event definitions are read by ``triggers``."""
        return NoneEventDefinition(description="read by the compiler")


class ScopeParser(SingleNode, SpiffTaskParser):  # type: ignore[misc] # the library is untyped
    """Sub-processes of every kind: the compiler descends itself, so no start or end event is demanded."""

    def create_task(self) -> Any:
        """A specification that only carries the scripts."""
        found = self.parse_extensions()
        scripts = {"prescript": found.get("preScript"), "postscript": found.get("postScript")}
        return self.spec_class(
            self.spec, self.bpmn_id, subworkflow_spec=self.bpmn_id, **scripts, **self.bpmn_attributes
        )


class ScopeSpec(BpmnProcessSpec):  # type: ignore[misc] # the library is untyped
    """A process specification without the library's own start and end tasks: an element may be called "Start"."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.task_specs.clear()


class ScopeProcessParser(SpiffProcessParser):  # type: ignore[misc] # the library is untyped
    """Reads one process or sub-process, node by node."""

    def create_spec(self) -> ScopeSpec:
        """An empty specification."""
        return ScopeSpec(name=self.bpmn_id, description=self.get_name(), filename=self.filename)

    def add_tasks(self) -> None:
        """The compiler asks for each node with ``read_node``."""

    def read_node(self, element: Any) -> Any:
        """The library's specification of one node, or None where it knows no such element."""
        parser_class, spec_class = self.parser.OVERRIDE_PARSER_CLASSES.get(element.tag, (None, None))
        if parser_class is None:
            return None
        return parser_class(self, spec_class, element, self.nsmap, lane=self.lane).parse_node()


def _single(parser_class: Any) -> Any:
    return type("Single" + parser_class.__name__, (SingleNode, parser_class), {})


def _classes() -> dict[str, Any]:
    known = {**BpmnParser.PARSER_CLASSES, **SpiffBpmnParser.OVERRIDE_PARSER_CLASSES}
    classes = {name: (_single(parser), spec) for name, (parser, spec) in known.items()}
    for name in ("subProcess", "transaction", "adHocSubProcess"):
        classes[tag(name)] = (ScopeParser, SubWorkflowTask)
    classes[tag("boundaryEvent")] = classes[tag("intermediateCatchEvent")]
    classes[tag("complexGateway")] = (_single(GatewayParser), NoneTask)
    return classes


class NodeReader(SpiffBpmnParser):  # type: ignore[misc] # the library is untyped
    """The library's parser with the classes above; it reads and is then thrown away."""

    PROCESS_PARSER_CLASS = ScopeProcessParser
    OVERRIDE_PARSER_CLASSES = _classes()

    def scope(self, element: Any, outer: Any = None) -> Any:
        """A parser for one process or sub-process element, ready to read nodes."""
        made = ScopeProcessParser(self, element, self.namespaces, self.data_stores, filename=None)
        made.parent = outer
        made.get_spec()
        return made
