"""What the gate says of drawings that would run, but otherwise than their designer means."""

from __future__ import annotations

RUNNING: dict[str, tuple[str, str, str, str]] = {
    "complex_flow": (
        "复杂网关汇合后的流出没有条件，每轮会走两次",
        "A flow out of a joining complex gateway lacks a condition: it would be taken twice in every round",
        "填写条件：首次激活写 waitingForStart，其余到齐后写 not waitingForStart",
        "Give one: waitingForStart for the activation, not waitingForStart for when the rest has come",
    ),
    "instances_lost": (
        "多实例任务没有输出集合，各人的结果会互相覆盖",
        "The repeated task collects no output: the answers of its instances overwrite each other",
        "填写 loopDataOutputRef 和 outputDataItem",
        "Give loopDataOutputRef and outputDataItem",
    ),
    "cell_form": (
        "决策表的单元格写成列表或否定，永远不会命中",
        "A decision's cell is a list or a negation of FEEL: it would never match",
        "写成 ? in [1, 5] 或 ? != 3",
        "Write ? in [1, 5] or ? != 3",
    ),
}
