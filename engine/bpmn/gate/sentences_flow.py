"""What the gate says of control flow that is not sound, and of what would be ignored."""

from __future__ import annotations

FLOW: dict[str, tuple[str, str, str, str]] = {
    "decision_form": (
        "决策须恰为一张决策表，不引用其他决策",
        "A decision is one decision table and refers to no other decision",
        "改为单独的决策表",
        "Make it a single decision table",
    ),
    "hit_policy": (
        "决策表只支持 UNIQUE、FIRST 和不聚合的 COLLECT",
        "Decision tables are UNIQUE, FIRST or COLLECT without aggregation",
        "改换命中策略",
        "Change the hit policy",
    ),
    "overlap": (
        "UNIQUE 决策表中此行与另一行会同时命中",
        "In this UNIQUE table the rule can match together with another",
        "使条件互斥或改用 FIRST",
        "Make the conditions exclude each other, or use FIRST",
    ),
    "manual_task": (
        "手工任务在系统之外办理，无法记录结果",
        "A manual task is done outside: nobody would record its result",
        "改为用户任务",
        "Make it a user task",
    ),
    "instantiating": (
        "不支持由网关或接收任务启动流程，也不支持并行事件网关",
        "Gateways and receive tasks that start a process, and parallel event gateways, are not supported",
        "用消息开始事件",
        "Use message start events",
    ),
    "script_format": (
        "脚本语言不受支持",
        "This script language is not supported",
        "用 Python 赋值语句，去掉 scriptFormat",
        "Write Python assignments and remove scriptFormat",
    ),
    "operation_missing": (
        "服务任务没有指明调用什么",
        "The service task does not say what it calls",
        "填写 serviceTaskOperator",
        "Give serviceTaskOperator",
    ),
    "two_lanes": (
        "元素同时属于两个泳道，不知由谁办理",
        "The element lies in two lanes: it is not clear whose it is",
        "只留在一个泳道",
        "Keep it in one lane",
    ),
    "participant": (
        "参与者引用了别的流程或有多重性，不会执行",
        "The participant refers to another process or is multiple: that would not run",
        "每个文件画一个流程",
        "Draw one process per file",
    ),
    "compensation_orphan": (
        "没有补偿事件关联到此补偿活动，永远不会执行",
        "No compensation event is associated with this activity: it never runs",
        "用关联线连接或取消补偿标记",
        "Associate it or remove its mark",
    ),
    "compensation_target": (
        "要补偿的活动不存在",
        "The activity to compensate does not exist",
        "改正 activityRef",
        "Correct activityRef",
    ),
    "item_column": (
        "事项登记没有这一列",
        "The register of items has no such column",
        "改正列名",
        "Correct the name of the column",
    ),
    "id_style": (
        "标识应为小写英文 snake_case",
        "Ids should be snake_case English",
        "改名",
        "Rename it",
    ),
    "deadlock": (
        "流程会在此停住：等待的令牌永远不会到齐",
        "The process can stop here: the tokens it waits for never all come",
        "让分支与汇合的网关类型一致",
        "Join with the kind of gateway that split",
    ),
    "lack_of_synchronisation": (
        "两个令牌会同时到达此处，之后的工作会做两遍",
        "Two tokens can be here at once: what follows would be done twice",
        "用并行或包容网关汇合",
        "Join the branches with a parallel or inclusive gateway",
    ),
    "livelock": (
        "进入此循环后再也到不了结束",
        "No end can be reached any more from this loop",
        "给循环画一条出口",
        "Draw a way out of the loop",
    ),
    "dead_element": (
        "无论怎样选择都执行不到此处",
        "Whatever is chosen, this is never reached",
        "改画流程或删除",
        "Redraw the flow or remove it",
    ),
    "dead_event": (
        "没有任何元素抛出此事件所等的错误、升级或取消",
        "Nothing throws the error, escalation or cancellation that this event waits for",
        "补上抛出事件、改正代码或删除",
        "Draw what throws it, correct the code or remove it",
    ),
    "not_proved": (
        "流程过于复杂，无法证明总能结束",
        "It is too complex to prove that it always ends",
        "把一部分画成子流程",
        "Make a part of it a sub-process",
    ),
}
