"""Messages: who may send them, what they carry, and that each reaches one receiver (BPMN 2.0 §8.4.2, §10.5.1)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from engine.bpmn.definition import Node, Process, Trigger
from engine.bpmn.gate.drawing import Drawing, World
from engine.bpmn.messages import PROPERTIES, Message, declared, lifetime
from engine.bpmn.reader import properties, tag
from engine.errors import Finding

_CATCHING = frozenset({"startEvent", "intermediateCatchEvent", "boundaryEvent", "receiveTask"})
_RULES: dict[str, tuple[str, str, str, str]] = {
    "message_property": (
        "消息没有这个属性",
        "A message has no such property",
        "只用 schema、sender、expires",
        "Use schema, sender and expires only",
    ),
    "message_schema_missing": (
        "消息内容存入变量，却没有写明内容的格式",
        "The message's content lands in a variable, but nothing says what it may hold",
        "给消息加上 schema 属性",
        "Give the message a property schema",
    ),
    "message_schema_unknown": (
        "消息内容格式的文件不存在",
        "There is no such file for the message's content",
        "改正 schema 或补上文件",
        "Correct schema or add the file",
    ),
    "message_schema_case": (
        "消息内容不能取自办件，也不能带附件",
        "A message takes nothing from the case and carries no files",
        "去掉 readOnly、x-prefill 和 attachment",
        "Remove readOnly, x-prefill and attachment",
    ),
    "message_sender_unknown": (
        "发送消息的角色不存在",
        "The role that sends the message does not exist",
        "改正 sender",
        "Correct sender",
    ),
    "message_expires": (
        "消息的保留期限写法有误",
        "This is no length of time for which a message is kept",
        "写作 P30D 或 PT12H",
        "Write P30D or PT12H",
    ),
    "message_differs": (
        "同名消息在另一文件中的写法不同",
        "Another file declares the message of this name otherwise",
        "各文件写法一致",
        "Declare it alike in every file",
    ),
    "message_start_twice": (
        "另一流程也由此消息启动，消息只能有一个接收者",
        "Another process is started by this message too: a message has one receiver",
        "改名或合并",
        "Rename one of them",
    ),
    "message_start_alone": (
        "由消息启动的开始事件只能有一个事件定义",
        "A start event met by a message holds this one event only",
        "分成几个开始事件",
        "Draw several start events",
    ),
    "message_start_inputs": (
        "由消息启动的流程不能声明 item 以外的输入",
        "A process that a message starts declares no input but item",
        "把输入写进消息内容",
        "Put the input into the message's content",
    ),
    "message_start_lane": (
        "由消息启动的开始事件不在泳道内，无人有权启动",
        "The start event lies in no lane, so nobody may start the process",
        "放入泳道",
        "Put it into a lane",
    ),
    "message_unheard": (
        "没有流程接收此消息",
        "No process here waits for this message",
        "核对消息名称",
        "Check the message's name",
    ),
}


def check_messages(drawings: list[Drawing], processes: Mapping[str, Process], world: World) -> Iterator[Finding]:
    """Everything about the messages of a library; ``where`` is ``file#element`` as everywhere."""
    for drawing in drawings:
        for element in drawing.root.findall(tag("message")):
            for name in properties(element):
                if name not in PROPERTIES:
                    yield _finding(drawing.file, element.get("id") or "", "message_property", name)
        for ident, message in _declared(drawing):
            yield from _message(drawing.file, ident, message, world)
    yield from _agree(drawings)
    yield from _receivers(processes)
    for process in processes.values():
        for node in _nodes(process):
            yield from _catches(process, node)


def _declared(drawing: Drawing) -> list[tuple[str, Message]]:
    idents = {e.get("name"): e.get("id") or "" for e in drawing.root.findall(tag("message"))}
    return [(idents[name], message) for name, message in declared(drawing.root).items()]


def _message(file: str, ident: str, message: Message, world: World) -> Iterator[Finding]:
    roles = world.column("roles")
    if message.schema:
        content = world.library.files.get(f"forms/{message.schema}")
        if content is None:
            yield _finding(file, ident, "message_schema_unknown", message.schema)
        elif _of_a_case(content):
            yield _finding(file, ident, "message_schema_case", message.schema)
    if message.sender and roles is not None and message.sender not in roles:
        yield _finding(file, ident, "message_sender_unknown", message.sender)
    if message.expires and lifetime(message.expires) is None:
        yield _finding(file, ident, "message_expires", message.expires)


def _of_a_case(content: bytes) -> bool:
    """Does the form ask for what only a case or a task has? (That it is a form is checked with the other forms.)"""
    try:
        waiting: list[Any] = [json.loads(content)]
    except (ValueError, RecursionError):
        return False
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if part.get("readOnly") is True or "x-prefill" in part or part.get("format") == "attachment":
                return True
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return False


def _agree(drawings: list[Drawing]) -> Iterator[Finding]:
    """A name means one message everywhere; a file that says nothing of it (it only throws) contradicts nobody."""
    first: dict[str, tuple[str, Message]] = {}
    for drawing in drawings:
        for ident, message in _declared(drawing):
            if not any(getattr(message, key) for key in PROPERTIES):
                continue
            file, known = first.setdefault(message.name, (drawing.file, message))
            if known != message:
                yield _finding(drawing.file, ident, "message_differs", file)


def _receivers(processes: Mapping[str, Process]) -> Iterator[Finding]:
    started: dict[str, str] = {}
    caught = {t.key for p in processes.values() for n in _nodes(p) if n.kind in _CATCHING for t in _messages(n)}
    for process in processes.values():
        for node in _nodes(process):
            for trigger in _messages(node):
                name = trigger.key or ""
                if node.kind not in _CATCHING and name not in caught:
                    yield _finding(process.file, node.id, "message_unheard", name, severity="warning")
                if _starts(process, node) and started.setdefault(name, process.file) != process.file:
                    yield _finding(process.file, node.id, "message_start_twice", started[name])


def _catches(process: Process, node: Node) -> Iterator[Finding]:
    for trigger in _messages(node) if node.kind in _CATCHING else ():
        message = process.messages.get(trigger.key or "")
        if trigger.variable and not (message and message.schema):
            yield _finding(process.file, node.id, "message_schema_missing", trigger.key or "")
        if _starts(process, node):
            if len(node.triggers) > 1:
                yield _finding(process.file, node.id, "message_start_alone")
            if set(process.inputs) - {"item"}:
                yield _finding(process.file, node.id, "message_start_inputs")
            if node.lane is None:
                yield _finding(process.file, node.id, "message_start_lane")


def _starts(process: Process, node: Node) -> bool:
    return node.kind == "startEvent" and node.scope == process.key


def _messages(node: Node) -> list[Trigger]:
    return [trigger for trigger in node.triggers if trigger.kind == "message"]


def _nodes(process: Process) -> Iterator[Node]:
    for scope in process.scopes.values():
        yield from scope.nodes.values()


def _finding(file: str, element: str, rule: str, note: str = "", severity: str = "error") -> Finding:
    zh, en, mend_zh, mend_en = _RULES[rule]
    return Finding(
        where=f"{file}#{element}",
        rule=rule,
        zh=f"{zh}（{note}）" if note else zh,
        en=f"{en} ({note})" if note else en,
        mend_zh=mend_zh,
        mend_en=mend_en,
        severity=severity,
    )
