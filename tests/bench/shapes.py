"""The seven shapes that are measured, and one long case: BPMN, forms, and the answers that lead through them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.model import Library
from tests.bench.drawing import Drawing

NOTE = "bench/note.json"
OPINION = "bench/opinion.json"
LOOP_ROUNDS = 200

TEXT = "演示文字，仅供测量使用。" * 4
NOTE_ANSWERS: dict[str, Any] = {
    "subject": "测量用申请 0001",
    "reference": "BENCH-2026-000001",
    "received": "2026-03-02",
    "copies": 3,
    "urgent": False,
    "channel": "window",
    "remark": TEXT,
    "reason": TEXT + TEXT[:8],
    "ok": True,
}
OPINION_ANSWERS: dict[str, Any] = {"ok": True, "opinion": "材料齐全，符合法定形式。"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One measured process. ``tasks`` human tasks lie on the path that ``answers`` (by form) lead along."""

    name: str
    key: str
    drawings: tuple[Drawing, ...]
    tasks: int
    answers: Mapping[str, Any] = field(default_factory=dict)
    timers: int = 0

    def sources(self) -> dict[str, bytes]:
        """Process key to BPMN file, the root first."""
        return {drawing.key: drawing.xml() for drawing in self.drawings}


def _straight(key: str, name: str, count: int, form: str) -> Drawing:
    drawing = Drawing(key=key, name=name)
    middle = [drawing.user(f"t{n}", form) for n in range(1, count + 1)]
    drawing.path(
        drawing.node("startEvent", "start", name="开始"), *middle, drawing.node("endEvent", "end", name="办结")
    )
    return drawing


def _automatic() -> Drawing:
    drawing = Drawing(key="bench_ten_steps", name="十个自动步骤")
    steps = [drawing.script(f"a{n}", f"v{n} = {n}") for n in range(10)]
    drawing.path(drawing.node("startEvent", "start", name="开始"), *steps, drawing.node("endEvent", "end", name="办结"))
    return drawing


def _loop() -> Drawing:
    drawing = Drawing(key="bench_loop", name="循环二百次")
    drawing.path(
        drawing.node("startEvent", "start", name="开始"),
        drawing.script("init", "n = 0"),
        drawing.node("exclusiveGateway", "again", name="汇合"),
        drawing.script("count", "n = n + 1"),
        drawing.node("exclusiveGateway", "check", name="够了吗"),
    )
    drawing.choice("check", "again", f"n < {LOOP_ROUNDS}")
    drawing.otherwise("check", drawing.node("endEvent", "end", name="办结"))
    return drawing


def _rounds() -> Drawing:
    drawing = Drawing(key="bench_rounds", name="一案二百件任务")
    drawing.path(
        drawing.node("startEvent", "start", name="开始"),
        drawing.script("init", "n = 0"),
        drawing.node("exclusiveGateway", "again", name="汇合"),
        drawing.user("t1", OPINION),
        drawing.script("count", "n = n + 1"),
        drawing.node("exclusiveGateway", "check", name="够了吗"),
    )
    drawing.choice("check", "again", f"n < {LOOP_ROUNDS}")
    drawing.otherwise("check", drawing.node("endEvent", "end", name="办结"))
    return drawing


def _timers() -> Drawing:
    drawing = Drawing(key="bench_timer", name="即刻到期的定时")
    drawing.path(
        drawing.node("startEvent", "start", name="开始"),
        drawing.timer("intermediateCatchEvent", "wait", "PT0S"),
        drawing.node("endEvent", "end", name="办结"),
    )
    return drawing


def _step(letter: str) -> Drawing:
    """A called process of three human tasks which hands one word back."""
    result = f"verdict_{letter}"
    drawing = Drawing(key=f"bench_step_{letter}", name=f"步骤 {letter}", inputs=("t1",), outputs=(result,))
    tasks = [drawing.user(f"{letter}{n}", OPINION) for n in range(1, 4)]
    drawing.path(
        drawing.node("startEvent", "start", name="开始"),
        *tasks,
        drawing.script("sum", f"{result} = {letter}3['ok']"),
        drawing.node("endEvent", "end", name="完成"),
    )
    return drawing


def _reviewed(drawing: Drawing, last: str, ident: str, condition: str) -> str:
    """The task (or call) ``ident`` and a gateway behind it that leads to the refusal; gives the gateway back."""
    gate = drawing.node("exclusiveGateway", f"{ident}_ok", name="通过？")
    if last.endswith("_ok"):
        drawing.otherwise(last, ident)
    else:
        drawing.path(last, ident)
    drawing.path(ident, gate)
    drawing.choice(gate, "refuse", f"not {condition}")
    return gate


def _approval() -> tuple[Drawing, ...]:
    """Twelve tasks with a gateway behind each, two in parallel, two called processes of three: twenty in all."""
    drawing = Drawing(key="bench_approval", name="二十件任务的审批")
    last = drawing.node("startEvent", "start", name="开始")
    for number in range(1, 7):
        last = _reviewed(drawing, last, drawing.user(f"t{number}", OPINION), f"t{number}['ok']")
    last = _reviewed(drawing, last, drawing.call("call_a", "bench_step_a"), "verdict_a")
    split = drawing.node("parallelGateway", "split", name="并行")
    join = drawing.node("parallelGateway", "join", name="并行汇合")
    drawing.otherwise(last, split)
    for row, ident in enumerate(("p1", "p2")):
        drawing.path(split, drawing.user(ident, OPINION, row=row), join)
    last = join
    for number in range(7, 12):
        last = _reviewed(drawing, last, drawing.user(f"t{number}", OPINION), f"t{number}['ok']")
    last = _reviewed(drawing, last, drawing.call("call_b", "bench_step_b"), "verdict_b")
    last = _reviewed(drawing, last, drawing.user("t12", OPINION), "t12['ok']")
    drawing.otherwise(last, drawing.node("endEvent", "end", name="准予"))
    drawing.timer("boundaryEvent", "overdue", "P30D", row=1, attachedToRef="t12")
    drawing.path("overdue", drawing.node("endEvent", "lapsed", name="逾期", row=1))
    drawing.path(
        drawing.node("exclusiveGateway", "refuse", name="汇合", row=1),
        drawing.node("endEvent", "refused", name="不予", row=1),
    )
    return (drawing, _step("a"), _step("b"))


def _form(title: str, properties: dict[str, Any]) -> bytes:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "x-title-en": "Measurement",
        "type": "object",
        "additionalProperties": False,
        "required": sorted(properties),
        "properties": properties,
    }
    return json.dumps(schema, ensure_ascii=False, indent=1).encode()


def _text(title: str, title_en: str, longest: int = 200) -> dict[str, Any]:
    return {"type": "string", "title": title, "x-title-en": title_en, "maxLength": longest}


def forms() -> dict[str, bytes]:
    """Path below ``forms/`` to schema."""
    ok = {"type": "boolean", "title": "通过", "x-title-en": "Passed"}
    channel = {
        "type": "string",
        "title": "渠道",
        "x-title-en": "Channel",
        "enum": ["window", "online"],
        "x-labels": {"window": "窗口", "online": "网上"},
        "x-labels-en": {"window": "Counter", "online": "Online"},
    }
    note = {
        "subject": _text("事由", "Subject"),
        "reference": _text("编号", "Reference", 40),
        "received": {"type": "string", "format": "date", "title": "收件日期", "x-title-en": "Received"},
        "copies": {"type": "integer", "minimum": 1, "maximum": 9, "title": "份数", "x-title-en": "Copies"},
        "urgent": {"type": "boolean", "title": "加急", "x-title-en": "Urgent"},
        "channel": channel,
        "remark": _text("备注", "Remark"),
        "reason": _text("理由", "Reason"),
        "ok": ok,
    }
    return {
        NOTE: _form("测量用表", note),
        OPINION: _form("测量用意见", {"ok": ok, "opinion": _text("意见", "Opinion")}),
    }


START_END = Shape(
    name="start → end", key="bench_empty", drawings=(_straight("bench_empty", "空流程", 0, NOTE),), tasks=0
)
AUTOMATIC = Shape(name="ten automatic steps", key="bench_ten_steps", drawings=(_automatic(),), tasks=0)
ONE_TASK = Shape(
    name="start → user task → end",
    key="bench_one_task",
    drawings=(_straight("bench_one_task", "一件任务", 1, OPINION),),
    tasks=1,
    answers=OPINION_ANSWERS,
)
FIVE_TASKS = Shape(
    name="five user tasks, 500-byte form",
    key="bench_five_tasks",
    drawings=(_straight("bench_five_tasks", "五件任务", 5, NOTE),),
    tasks=5,
    answers=NOTE_ANSWERS,
)
APPROVAL = Shape(
    name="approval of twenty tasks", key="bench_approval", drawings=_approval(), tasks=20, answers=OPINION_ANSWERS
)
LOOP = Shape(name="loop of 200 rounds", key="bench_loop", drawings=(_loop(),), tasks=0)
TIMERS = Shape(name="timer due at once", key="bench_timer", drawings=(_timers(),), tasks=0, timers=1)
ROUNDS = Shape(
    name="200 tasks of one case",
    key="bench_rounds",
    drawings=(_rounds(),),
    tasks=LOOP_ROUNDS,
    answers=OPINION_ANSWERS,
)

SEVEN = (START_END, AUTOMATIC, ONE_TASK, FIVE_TASKS, APPROVAL, LOOP, TIMERS)
ALL = (*SEVEN, ROUNDS)


def library() -> Library:
    """All shapes and their forms as the designers' files."""
    files = {f"processes/bench/{key}.bpmn": xml for shape in ALL for key, xml in shape.sources().items()}
    files.update({f"forms/{path}": content for path, content in forms().items()})
    return Library(files)
