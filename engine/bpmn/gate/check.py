"""Runs every check over a whole library and gathers the findings in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine import documents, forms
from engine.bpmn.compiler import AGAIN, draft_process, too_large
from engine.bpmn.definition import Process
from engine.bpmn.gate.drawing import Drawing, World, check_drawing
from engine.bpmn.gate.ignored import check_ignored
from engine.bpmn.gate.messages import check_messages
from engine.bpmn.gate.returns import check_returns
from engine.bpmn.gate.sentences import finding
from engine.bpmn.gate.shape import check_compensation, check_shape
from engine.bpmn.gate.soundness import check_soundness
from engine.bpmn.gate.tables import check_tables, decided
from engine.bpmn.gate.variables import check_variables
from engine.bpmn.reader import read_xml, tag
from engine.errors import Finding, Invalid, NotFound, Refused
from engine.model import Library
from engine.registers import Registers, read_registers


def check(library: Library) -> list[Finding]:
    """All findings of all files, errors and warnings, sorted by place; an empty list of errors may be published.

    ``where`` is ``file#element``. Nothing is raised for bad files, whatever they hold.
    """
    found: list[Finding] = []
    registers = _registers(library, found)
    drawings = _drawings(library, found)
    started = frozenset(kind for drawing in drawings for kind in drawing.started())
    world = World(
        library=library, registers=registers, started=started, decided=decided(library), item_keys=_item_keys(registers)
    )
    unread: set[str] = set()
    processes = _compiled(library, drawings, found, unread)
    for drawing in drawings:
        found += check_drawing(drawing, world)
        found += check_ignored(drawing)
    for process in processes.values():
        found += check_shape(process)
        found += (each for each in check_variables(process, processes, world) if _certain(each, process.key in unread))
        found += check_compensation(process, processes)
        found += check_returns(process, processes)
        found += _calls(process, processes, {drawing.key for drawing in drawings})
    found += check_soundness(processes)
    found += check_messages(drawings, processes, world)
    found += _items(world, drawings)
    found += check_tables(library)
    found += _forms(library)
    found += _templates(library)
    twice = {each.where for each in found if each.rule == "duplicate_id"}
    found = [each for each in found if AGAIN not in each.where.rpartition("#")[2]]
    found = [each for each in found if each.rule != "schema" or each.where not in twice]  # the schema says so again
    unique = {(each.where, each.rule, each.en): each for each in found}
    return sorted(unique.values(), key=lambda each: (each.where, each.rule, each.en))


def _certain(finding: Finding, unread: bool) -> bool:
    """Where an element could not be read, a variable may be one that it sets."""
    return not unread or finding.rule not in ("name_unset", "input_unset", "output_unset")


def _registers(library: Library, found: list[Finding]) -> Registers | None:
    try:
        return read_registers(library)
    except Invalid as invalid:
        found += invalid.findings
        return None


def _item_keys(registers: Registers | None) -> frozenset[str] | None:
    """The keys of the variable ``item``, the same for every item."""
    try:
        rows = registers.table("items").rows if registers else ()
        return frozenset(registers.item(rows[0]["code"])) if registers and rows else None
    except NotFound:
        return None


def _drawings(library: Library, found: list[Finding]) -> list[Drawing]:
    """The files that are XML and hold a process; the others are refused by the compiler with the reason."""
    drawings = []
    for file, content in library.under("processes/", ".bpmn"):
        try:
            root = read_xml(content, file)
        except Refused as refused:
            found += refused.findings
            continue
        process = root.find(tag("process"))
        if process is not None and not too_large(root):
            drawings.append(Drawing(file=file, root=root, process=process))
        else:
            found += draft_process(content, file)[1]
    return drawings


def _compiled(library: Library, drawings: list[Drawing], found: list[Finding], unread: set[str]) -> dict[str, Process]:
    """Every process that can be read, ``unread`` those of which some element cannot."""
    decisions = dict(library.under("processes/", ".dmn"))
    processes: dict[str, Process] = {}
    for drawing in drawings:
        process, findings = draft_process(library.files[drawing.file], drawing.file, decisions)
        found += findings
        if process is None:
            continue
        if findings:
            unread.add(process.key)
        if process.key in processes:
            found.append(finding(drawing.file, process.key, "key_reused", processes[process.key].file))
        processes.setdefault(process.key, process)
    return processes


def _calls(process: Process, processes: Mapping[str, Process], drawn: set[str]) -> Iterator[Finding]:
    for scope in process.scopes.values():
        for node in scope.nodes.values():
            if node.called is None:
                continue
            if node.called not in drawn:
                yield finding(process.file, node.id, "called_missing", node.called)
            elif process.key in _reachable(node.called, processes):
                yield finding(process.file, node.id, "call_cycle", node.called)


def _reachable(key: str, processes: Mapping[str, Process]) -> set[str]:
    seen: set[str] = set()
    stack = [key]
    while stack:
        each = stack.pop()
        if each not in seen:
            seen.add(each)
            stack += processes[each].calls if each in processes else ()
    return seen


def _items(world: World, drawings: list[Drawing]) -> Iterator[Finding]:
    keys = {drawing.key for drawing in drawings}
    for code in sorted(world.column("items") or ()):
        key = world.row("items", code).get("key", "")
        if key and key not in keys:
            yield finding("processes/services", code, "item_without_process", key)


def _forms(library: Library) -> Iterator[Finding]:
    for path, _ in library.under("forms/", ".json"):
        short = path.removeprefix("forms/")
        if not short.startswith(("fields/", "documents/", "notices/")):
            yield from forms.check_form(short, library)


def _templates(library: Library) -> Iterator[Finding]:
    for folder, ending in (("forms/documents/", ".html"), ("forms/notices/", ".txt")):
        for path, content in library.under(folder, ending):
            for fault in documents.check_template(content):
                yield Finding(
                    where=path,
                    rule="template",
                    zh=f"模板有误：{fault}",
                    en=f"The template is wrong: {fault}",
                    mend_zh="改正模板",
                    mend_en="Correct the template",
                )
